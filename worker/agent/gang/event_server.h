// What the ranks of one gang report at their socket.
#pragma once

#include <poll.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/agent/gang/line_server.h"
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
    virtual void on_rank_joined(int rank, const RankHome& home) = 0;
    virtual void on_rank_left(int rank) = 0;
    virtual void on_rank_call(int rank, const RankCall& call) = 0;
  };

  // What LineServer::listen says.
  static Result<EventServer> listen(const std::filesystem::path& socket);

  // Adds what has to be polled.
  void add_to(std::vector<pollfd>& polled) const { lines_.add_to(polled); }
  // Accepts and reads whatever is there, without waiting. A line that is no event is passed on as a
  // warning. The listener's failure ends the call.
  Status serve(Listener& listener);
  // Sends `line`, newline included, to a rank without waiting. False where the rank is not here or
  // does not take it.
  bool tell(int rank, std::string_view line) const;
  // No new ranks; those connected are still read.
  void stop_accepting() { lines_.stop_accepting(); }
  bool has_ranks() const { return lines_.has_connections(); }
  // Beside those of other hosts.
  bool has_ranks_here() const { return lines_.connections() > others_; }

 private:
  class Reader;
  explicit EventServer(LineServer lines) : lines_(std::move(lines)) {}

  LineServer lines_;
  struct Rank {
    int number = 0;
    bool here = true;
  };
  std::map<int, Rank> ranks_;  // by connection, once they have said hello
  size_t others_ = 0;          // of them on other hosts
};

// What a rank says first.
struct Hello {
  int rank = 0;
  RankHome home;
};

// {"hello": {"rank": 1, "pid": 123}}, and "host" where it is on another one; none: the line is no
// such.
std::optional<Hello> hello_of(const std::string& line);
std::string to_line(const Hello& hello);
// {"call": {"name": "all_reduce", "number": 12, "seconds": 3.5}}; none: the line is no such.
std::optional<RankCall> call_of(const std::string& line);

}  // namespace prefixmem::agent
