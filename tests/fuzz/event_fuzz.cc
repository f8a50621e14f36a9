// A line on the socket between a trainer and its agent: an event, what a rank says first, or where
// it is.
#include "common/event/event.h"
#include "tests/fuzz/outcome.h"
#include "worker/agent/gang/event_server.h"

namespace {

using namespace prefixmem;

void check_event(const std::string& text) {
  const auto event = trial_event_from_json(text);
  fuzz::require_clear(event.status());
  if (!event.ok()) return;
  const std::string line = to_json_line(*event);
  fuzz::require(line.find('\n') == std::string::npos, "a line with a newline");
  const auto again = trial_event_from_json(line);
  fuzz::require(again.ok() && to_json_line(*again) == line, "what is written is read as another");
}

void check_hello(const std::string& text) {
  const auto hello = agent::hello_of(text);
  if (!hello) return;
  fuzz::require(hello->rank >= 0 && hello->home.pid >= 0, "a rank or process below 0");
  const std::string line = agent::to_line(*hello);
  fuzz::require(line.find('\n') == std::string::npos, "a line with a newline");
  const auto again = agent::hello_of(line);
  fuzz::require(again && agent::to_line(*again) == line, "what is written is read as another");
}

void check_call(const std::string& text) {
  const auto call = agent::call_of(text);
  fuzz::require(!call || call->number >= 0, "a call of a number below 0");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::text_of(data, size));
  check_event(text);
  check_hello(text);
  check_call(text);
  return 0;
}
