#include "worker/agent/gang/line_server.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "common/unix_socket.h"

namespace prefixmem::agent {
namespace {

bool again(ssize_t count) { return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK); }

}  // namespace

Result<LineServer> LineServer::listen(const std::filesystem::path& socket) {
  PM_ASSIGN(const sockaddr_un address, unix_address(socket));
  const std::string path = socket.string();
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return from_errno("opening a socket", errno);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return from_errno("listening on " + path, errno);
  }
  // Who may enter the socket's folder may connect: jobs may have another account than this.
  if (chmod(path.c_str(), 0666) != 0) return from_errno("opening " + path + " to jobs", errno);
  return LineServer(std::move(fd));
}

void LineServer::add_to(std::vector<pollfd>& polled) const {
  if (listening_.valid()) polled.push_back({listening_.get(), POLLIN, 0});
  for (const Connection& one : connections_) polled.push_back({one.socket.get(), POLLIN, 0});
}

void LineServer::accept_all() {
  if (!listening_.valid()) return;
  while (true) {
    Fd fd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    connections_.push_back({accepted_++, std::move(fd), LineBuffer(kLongestLine)});
  }
}

bool LineServer::tell(int connection, std::string_view line) const {
  for (const Connection& one : connections_) {
    if (one.number != connection) continue;
    const ssize_t sent =
        send(one.socket.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == static_cast<ssize_t>(line.size());
  }
  return false;
}

void LineServer::close(int connection) const {
  for (const Connection& one : connections_) {
    if (one.number == connection) shutdown(one.socket.get(), SHUT_RDWR);
  }
}

Status LineServer::serve(Listener& listener) {
  accept_all();
  for (size_t i = 0; i < connections_.size();) {
    PM_ASSIGN(const bool open, read_some(connections_[i], listener));
    if (open) {
      ++i;
      continue;
    }
    const int number = connections_[i].number;
    connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
    PM_TRY(listener.on_closed(number));
  }
  return {};
}

Result<bool> LineServer::read_some(Connection& connection, Listener& listener) {
  char block[1 << 16];
  while (true) {
    const ssize_t count = recv(connection.socket.get(), block, sizeof block, 0);
    if (count < 0 && errno == EINTR) continue;
    if (again(count)) return true;
    if (count <= 0) return false;
    for (const auto& line : connection.lines.add({block, static_cast<size_t>(count)})) {
      PM_TRY(listener.on_line(connection.number, line));
    }
  }
}

}  // namespace prefixmem::agent
