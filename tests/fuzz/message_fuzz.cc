// What clients and workers send in Protobuf: the first byte says whether a spec or an event.
#include <google/protobuf/stubs/logging.h>

#include "common/proto/event_proto.h"
#include "common/proto/spec_proto.h"
#include "tests/fuzz/outcome.h"

namespace {

using namespace prefixmem;

// Or it would write a line for every text that is no UTF-8.
[[maybe_unused]] const auto kBefore = google::protobuf::SetLogHandler(nullptr);

// `read` takes the message, `again` writes what was read of it and reads that.
template <class Message>
void check(std::string_view bytes, const auto& read, const auto& again) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto found = read(message);
  fuzz::require_clear(found.status());
  if (!found.ok()) return;
  const auto repeated = again(*found);
  fuzz::require_clear(repeated.status());
  fuzz::require(repeated.ok(), "what is written is not read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check<v1::JobSpec>(bytes, job_spec_from_proto, [](const JobSpec& spec) {
      return job_spec_from_proto(job_spec_to_proto(spec));
    });
  } else {
    check<v1::TrainerEvent>(bytes, event_from_proto, [](const Event& event) {
      return event_from_json(to_json_line(event));
    });
  }
  return 0;
}
