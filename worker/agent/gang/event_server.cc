#include "worker/agent/gang/event_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

namespace prefixmem::agent {
namespace {

constexpr size_t kLongestEvent = size_t{1} << 20;

using nlohmann::json;

// The object behind the one key of a line; null where the line is none such.
json body_of(const std::string& line, const char* key) {
  json object = json::parse(line, nullptr, false);
  if (!object.is_object() || object.size() != 1 || !object.contains(key)) return nullptr;
  return object[key].is_object() ? object[key] : json();
}

struct Hello {
  int rank = 0;
  pid_t pid = 0;
};

// {"hello": {"rank": 1, "pid": 123}}
std::optional<Hello> hello_of(const std::string& line) {
  const json hello = body_of(line, "hello");
  if (!hello.is_object() || !hello.contains("rank") || !hello["rank"].is_number_unsigned()) {
    return std::nullopt;
  }
  const bool has_pid = hello.contains("pid") && hello["pid"].is_number_unsigned();
  return Hello{hello["rank"].get<int>(), has_pid ? hello["pid"].get<pid_t>() : 0};
}

// {"call": {"name": "all_reduce", "number": 12, "seconds": 3.5}}
std::optional<RankCall> call_of(const std::string& line) {
  const json call = body_of(line, "call");
  const bool whole = call.is_object() && call.contains("name") && call["name"].is_string() &&
                     call.contains("number") && call["number"].is_number_unsigned() &&
                     call.contains("seconds") && call["seconds"].is_number();
  if (!whole) return std::nullopt;
  return RankCall{call["name"].get<std::string>(), call["number"].get<int64_t>(),
                  call["seconds"].get<double>()};
}

bool again(ssize_t count) { return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK); }

}  // namespace

Result<EventServer> EventServer::listen(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) {
    return invalid_argument("socket path " + path + " is " + std::to_string(path.size()) +
                            " bytes long; allowed: at most 107");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return from_errno("opening a socket", errno);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return from_errno("listening on " + path, errno);
  }
  // Who may enter the socket's folder may connect: jobs may have another account than this.
  if (chmod(path.c_str(), 0666) != 0) return from_errno("opening " + path + " to jobs", errno);
  return EventServer(std::move(fd));
}

void EventServer::add_to(std::vector<pollfd>& polled) const {
  if (listening_.valid()) polled.push_back({listening_.get(), POLLIN, 0});
  for (const Connection& rank : ranks_) polled.push_back({rank.socket.get(), POLLIN, 0});
}

void EventServer::accept_all() {
  if (!listening_.valid()) return;
  while (true) {
    Fd fd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    ranks_.push_back({std::move(fd), LineBuffer(kLongestEvent)});
  }
}

bool EventServer::tell(int rank, std::string_view line) const {
  for (const Connection& connection : ranks_) {
    if (connection.rank != rank) continue;
    const ssize_t sent =
        send(connection.socket.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == static_cast<ssize_t>(line.size());
  }
  return false;
}

Status EventServer::serve(Listener& listener) {
  accept_all();
  for (size_t i = 0; i < ranks_.size();) {
    PM_ASSIGN(const bool open, read_some(ranks_[i], listener));
    if (open) {
      ++i;
      continue;
    }
    if (ranks_[i].rank >= 0) listener.on_rank_left(ranks_[i].rank);
    ranks_.erase(ranks_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {};
}

Result<bool> EventServer::read_some(Connection& connection, Listener& listener) {
  char block[1 << 16];
  while (true) {
    const ssize_t count = recv(connection.socket.get(), block, sizeof block, 0);
    if (count < 0 && errno == EINTR) continue;
    if (again(count)) return true;
    if (count <= 0) return false;
    for (const auto& line : connection.lines.add({block, static_cast<size_t>(count)})) {
      PM_TRY(take_line(connection, line, listener));
    }
  }
}

Status EventServer::take_line(Connection& connection, const std::string& line, Listener& listener) {
  if (connection.rank < 0) {
    if (const auto hello = hello_of(line)) {
      connection.rank = hello->rank;
      listener.on_rank_joined(hello->rank, hello->pid);
      return {};
    }
  } else if (const auto call = call_of(line)) {
    listener.on_rank_call(connection.rank, *call);
    return {};
  }
  const auto event = trial_event_from_json(line);
  if (event.ok()) return listener.on_event(*event);
  return listener.on_event(
      {TrialEvent::kWholeGang,
       LogEvent{std::max(connection.rank, 0), "warning",
                "the trainer sent what is no event: " + event.status().message()}});
}

}  // namespace prefixmem::agent
