// What clients and workers send in Protobuf: the first byte says whether a spec or an event.
#include <google/protobuf/stubs/logging.h>

#include "common/proto/event_proto.h"
#include "common/proto/spec_proto.h"
#include "tests/fuzz/outcome.h"

namespace {

using namespace prefixmem;

// Or it would write a line for every text that is no UTF-8.
[[maybe_unused]] const auto kBefore = google::protobuf::SetLogHandler(nullptr);

void read_spec(std::string_view bytes) {
  v1::JobSpec message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto spec = job_spec_from_proto(message);
  fuzz::require_clear(spec.status());
  if (!spec.ok()) return;
  const auto again = job_spec_from_proto(job_spec_to_proto(*spec));
  fuzz::require_clear(again.status());
  fuzz::require(again.ok(), "what is written is not read");
}

void read_event(std::string_view bytes) {
  v1::TrainerEvent message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto event = event_from_proto(message);
  fuzz::require_clear(event.status());
  if (!event.ok()) return;
  const auto again = event_from_json(to_json_line(*event));
  fuzz::require_clear(again.status());
  fuzz::require(again.ok(), "what is written is not read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  data[0] % 2 == 0 ? read_spec(bytes) : read_event(bytes);
  return 0;
}
