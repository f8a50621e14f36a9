// Where a rank's events go: to its agent, or to a person's terminal.
#pragma once

#include <memory>
#include <string>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/trainer/train/agent_requests.h"

namespace prefixmem::trainer {

// Thread: any.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // UNAVAILABLE where the agent is gone.
  virtual Status emit(const TrialEvent& event) = 0;
};

// Connects to the agent's Unix stream socket and says hello: {"hello": {"rank": R, "pid": P}}. The
// lines that come back go to `requests`, which must outlive it. A rank does not outlive its agent:
// once the agent closes the socket this process ends with UNAVAILABLE's exit code, wherever it is.
// INVALID_ARGUMENT for a path over the system's limit of 107 bytes.
Result<std::unique_ptr<EventSink>> connect_event_sink(const std::string& socket_path, int rank,
                                                      AgentRequests& requests);

// Progress lines on stderr, those of a bank's trial with its index. A trial's steps are shown at
// most twice a second, the last one always; ranks above 0 show failures, warnings and nothing else.
std::unique_ptr<EventSink> make_console_sink(int rank);

}  // namespace prefixmem::trainer
