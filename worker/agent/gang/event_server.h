// The Unix socket at which the ranks of one gang report.
#pragma once

#include <poll.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/event/event.h"
#include "common/fd.h"
#include "common/status.h"
#include "worker/agent/gang/line_buffer.h"
#include "worker/agent/gang/roll_call.h"

namespace prefixmem::agent {

// Not thread-safe: one thread polls its descriptors and calls serve().
class EventServer {
 public:
  // What a rank has done.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual Status on_event(const TrialEvent& event) = 0;
    virtual void on_rank_joined(int rank, pid_t pid) = 0;
    virtual void on_rank_left(int rank) = 0;
    virtual void on_rank_call(int rank, const RankCall& call) = 0;
  };

  // Creates the socket; a path above 107 bytes is INVALID_ARGUMENT.
  static Result<EventServer> listen(const std::filesystem::path& socket);

  // Adds what has to be polled.
  void add_to(std::vector<pollfd>& polled) const;
  // Accepts and reads whatever is there, without waiting. A line that is no event is passed on as a
  // warning. The listener's failure ends the call.
  Status serve(Listener& listener);
  // Sends `line`, newline included, to a rank without waiting. False where the rank is not here or
  // does not take it.
  bool tell(int rank, std::string_view line) const;
  // No new ranks; those connected are still read.
  void stop_accepting() { listening_.reset(); }
  bool has_ranks() const { return !ranks_.empty(); }

 private:
  struct Connection {
    Fd socket;
    LineBuffer lines;
    int rank = -1;  // until its hello
  };

  explicit EventServer(Fd listening) : listening_(std::move(listening)) {}
  void accept_all();
  // False at the end of the stream.
  Result<bool> read_some(Connection& connection, Listener& listener);
  Status take_line(Connection& connection, const std::string& line, Listener& listener);

  Fd listening_;
  std::vector<Connection> ranks_;
};

}  // namespace prefixmem::agent
