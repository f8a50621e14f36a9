// The Unix socket at which the ranks of one gang on this host report, a line at a time.
#pragma once

#include <poll.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/status.h"
#include "worker/agent/gang/line_buffer.h"

namespace prefixmem::agent {

inline constexpr size_t kLongestLine = size_t{1} << 20;

// Not thread-safe: one thread polls its descriptors and calls serve().
class LineServer {
 public:
  // Connections are numbered from 0 on, in the order of their coming.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Without its newline.
    virtual Status on_line(int connection, const std::string& line) = 0;
    virtual Status on_closed(int connection) = 0;
  };

  // Creates the socket; a path above 107 bytes is INVALID_ARGUMENT.
  static Result<LineServer> listen(const std::filesystem::path& socket);

  // Adds what has to be polled.
  void add_to(std::vector<pollfd>& polled) const;
  // Accepts and reads whatever is there, without waiting. The listener's failure ends the call.
  Status serve(Listener& listener);
  // Sends `line`, newline included, without waiting. False where the connection is gone or does not
  // take it.
  bool tell(int connection, std::string_view line) const;
  // No new connections; those there are still read.
  void stop_accepting() { listening_.reset(); }
  bool has_connections() const { return !connections_.empty(); }
  size_t connections() const { return connections_.size(); }
  // Ends one, whose on_closed() follows.
  void close(int connection) const;

 private:
  struct Connection {
    int number = 0;
    Fd socket;
    LineBuffer lines;
  };

  explicit LineServer(Fd listening) : listening_(std::move(listening)) {}
  void accept_all();
  // False at the end of the stream.
  static Result<bool> read_some(Connection& connection, Listener& listener);

  Fd listening_;
  int accepted_ = 0;
  std::vector<Connection> connections_;
};

}  // namespace prefixmem::agent
