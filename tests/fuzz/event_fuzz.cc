// A line on the socket between a trainer and its agent.
#include "common/event/event.h"
#include "tests/fuzz/outcome.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  const auto event = trial_event_from_json(fuzz::text_of(data, size));
  fuzz::require_clear(event.status());
  if (!event.ok()) return 0;
  const std::string line = to_json_line(*event);
  fuzz::require(line.find('\n') == std::string::npos, "a line with a newline");
  const auto again = trial_event_from_json(line);
  fuzz::require(again.ok() && to_json_line(*again) == line, "what is written is read as another");
  return 0;
}
