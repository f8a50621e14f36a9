#include "worker/agent/hosts/head.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/files.h"
#include "common/guarded.h"
#include "common/log.h"
#include "common/unix_socket.h"
#include "worker/agent/gang/event_server.h"
#include "worker/agent/hosts/daemon_command.h"

namespace prefixmem::agent {
namespace {

using nlohmann::json;

// Longer than the coordinator takes to pass a note on, shorter than a rank's silence is suffered.
constexpr Millis kHeardWithin{10000};

MonotonicTime now() { return real_clock().monotonic(); }

// As much as goes without waiting; what goes to nobody any more is dropped.
void send_unsent(int socket, std::string& unsent) {
  while (!unsent.empty()) {
    const ssize_t sent = send(socket, unsent.data(), unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    unsent.erase(0, sent < 0 ? unsent.size() : static_cast<size_t>(sent));
  }
}

// {"host": "pmt-member1", "words": [" orted", "-mca", …]}, as pmt-rsh says it.
struct Request {
  std::string host;
  std::vector<std::string> words;
};

Result<Request> request_of(const std::string& line) {
  const json body = json::parse(line, nullptr, false);
  const bool whole = body.is_object() && body.contains("host") && body["host"].is_string() &&
                     body.contains("words") && body["words"].is_array() &&
                     std::all_of(body["words"].begin(), body["words"].end(),
                                 [](const json& word) { return word.is_string(); });
  if (!whole) return invalid_argument("a request of mpirun's remote shell is malformed");
  return Request{body["host"], body["words"].get<std::vector<std::string>>()};
}

std::string answer_line(const DaemonEnded& end) {
  return json{{"exit", end.code}, {"message", end.status.message()}}.dump() + "\n";
}

}  // namespace

Head::Head(const AttemptKey& key, const std::vector<GangHost>& hosts, std::function<void()> changed)
    : key_(key), changed_(std::move(changed)), woken_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  int ranks = hosts.front().ranks;
  for (size_t i = 1; i < hosts.size(); ++i) {
    peers_.push_back(
        Peer{.host = hosts[i], .first_rank = ranks, .mail = Mailbox(key, hosts[i].worker)});
    ranks += hosts[i].ranks;
  }
}

Head::~Head() {
  {
    const MutexLock lock(mutex_);
    closing_ = true;
  }
  eventfd_write(woken_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

Status Head::open(Sockets sockets) {
  if (!woken_.valid()) return from_errno("opening an eventfd", errno);
  {
    const MutexLock lock(mutex_);
    sockets_ = std::move(sockets);
    PM_ASSIGN(requests_, LineServer::listen(sockets_.requests));
  }
  thread_ = std::thread([this] {
    const Status status = guarded([this] {
      serve();
      return Status();
    });
    if (!status.ok()) spdlog::error("{}: {}", key_.text(), status.message());
  });
  return {};
}

std::vector<pollfd> Head::polled() const {
  std::vector<pollfd> polled = {{woken_.get(), POLLIN, 0}};
  const MutexLock lock(mutex_);
  requests_->add_to(polled);
  for (const Peer& peer : peers_) {
    for (const auto& [connection, tunnel] : peer.tunnels) {
      const int events = tunnel.unsent.empty() ? POLLIN : POLLIN | POLLOUT;
      polled.push_back({tunnel.socket.get(), static_cast<int16_t>(events), 0});
    }
  }
  return polled;
}

// A descriptor may be closed while it is waited for: then there is nothing to read, and that is
// all.
void Head::serve() {
  while (true) {
    std::vector<pollfd> waiting = polled();
    poll(waiting.data(), waiting.size(), -1);
    eventfd_t ignored = 0;
    eventfd_read(woken_.get(), &ignored);
    {
      const MutexLock lock(mutex_);
      if (closing_) return;
      const Status served = requests_->serve(*this);
      if (!served.ok()) spdlog::warn("{}: {}", key_.text(), served.message());
      serve_tunnels();
    }
    changed_();
  }
}

Status Head::on_line(int connection, const std::string& line) {
  const Status status = take_request(connection, line);
  if (!status.ok()) refuse(connection, status);
  return {};
}

Status Head::take_request(int connection, const std::string& line) {
  PM_ASSIGN(const Request request, request_of(line));
  PM_ASSIGN(auto arguments, daemon_arguments(request.words));
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (mpi_name(i + 1) != request.host) continue;
    Peer& peer = peers_[i];
    peer.request = connection;
    if (peer.end) {
      tell_end(peer);
    } else {
      post(peer, StartDaemon{std::move(arguments)});
    }
    return {};
  }
  return not_found("mpirun asks for host " + request.host + ", which the gang does not have");
}

// mpirun has ended its remote shell: the daemon is not wanted any more.
Status Head::on_closed(int connection) {
  for (Peer& peer : peers_) {
    if (peer.request != connection) continue;
    peer.request.reset();
    if (!peer.end) post(peer, StopDaemon{});
  }
  return {};
}

void Head::serve_tunnels() {
  char block[1 << 14];
  for (Peer& peer : peers_) {
    for (auto at = peer.tunnels.begin(); at != peer.tunnels.end();) {
      auto& [connection, tunnel] = *at;
      send_unsent(tunnel.socket.get(), tunnel.unsent);
      const ssize_t count = recv(tunnel.socket.get(), block, sizeof block, MSG_DONTWAIT);
      if (count > 0 && !tunnel.closing) {
        for (std::string& line : tunnel.lines.add({block, static_cast<size_t>(count)})) {
          post(peer, RankLine{connection, std::move(line)});
        }
      }
      const bool gone = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
      const bool done = tunnel.closing && tunnel.unsent.empty();
      at = gone || done ? peer.tunnels.erase(at) : std::next(at);
    }
  }
}

void Head::post(Peer& peer, NoteBody body) { peer.mail.post(std::move(body), now()); }

void Head::on_note(Note note) {
  {
    const MutexLock lock(mutex_);
    const auto peer = std::find_if(peers_.begin(), peers_.end(),
                                   [&](const Peer& one) { return one.host.worker == note.worker; });
    if (peer == peers_.end()) return;
    if (auto* const gone = note.body ? std::get_if<MemberGone>(&*note.body) : nullptr) {
      end(*peer, {unavailable(gone->reason), exit_code(unavailable(""))});
    } else if (auto body = peer->mail.take(std::move(note), now())) {
      take(*peer, std::move(*body));
    }
  }
  eventfd_write(woken_.get(), 1);  // there may be more to wait for
  changed_();
}

void Head::take(Peer& peer, NoteBody body) {
  if (auto* const ended = std::get_if<DaemonEnded>(&body)) return end(peer, std::move(*ended));
  if (const auto* line = std::get_if<RankLine>(&body)) return pass_on(peer, *line);
  if (const auto* left = std::get_if<RankLeft>(&body)) {
    const auto at = peer.tunnels.find(left->connection);
    if (at != peer.tunnels.end()) at->second.closing = true;
  }
  if (std::holds_alternative<MemberReady>(body)) {
    peer.ready = true;
    told_.notify_all();
  }
}

void Head::pass_on(Peer& peer, const RankLine& line) {
  auto at = peer.tunnels.find(line.connection);
  if (at == peer.tunnels.end()) {
    auto socket = connect_unix(sockets_.events);
    if (!socket.ok()) return spdlog::warn("{}: {}", key_.text(), socket.status().message());
    at = peer.tunnels.emplace(line.connection, Tunnel{.socket = std::move(*socket)}).first;
  }
  Tunnel& tunnel = at->second;
  std::string text = line.text;
  if (!std::exchange(tunnel.greeted, true)) {
    if (auto hello = hello_of(text)) {
      hello->home.host = peer.host.name;
      text = to_line(*hello);
    }
  }
  tunnel.unsent += text + "\n";
  send_unsent(tunnel.socket.get(), tunnel.unsent);
}

void Head::end(Peer& peer, DaemonEnded end) {
  if (peer.end) return;
  if (!end.status.ok()) spdlog::warn("{}: {}", key_.text(), end.status.message());
  peer.end = std::move(end);
  tell_end(peer);
  for (auto& [connection, tunnel] : peer.tunnels) tunnel.closing = true;
  told_.notify_all();
}

void Head::tell_end(Peer& peer) {
  if (!peer.request) return;  // the gang does not listen yet, or not any more
  if (!peer.end->status.ok()) tell_failure({peer.first_rank, peer.end->status});
  answer(*peer.request, *peer.end);
  peer.request.reset();
}

void Head::refuse(int connection, const Status& status) {
  tell_failure({0, status});
  answer(connection, {status, exit_code(status)});
}

void Head::tell_failure(const FailureEvent& failure) const {
  const std::string line = to_json_line({TrialEvent::kWholeGang, failure}) + "\n";
  const auto socket = connect_unix(sockets_.events);
  const Status told =
      socket.ok() ? write_all(socket->get(), line, "the gang's socket") : socket.status();
  if (!told.ok()) spdlog::warn("{}: {}", key_.text(), told.message());
}

void Head::answer(int connection, const DaemonEnded& end) {
  if (!requests_->tell(connection, answer_line(end))) {
    spdlog::warn("{}: mpirun does not take the end of a daemon", key_.text());
  }
  requests_->close(connection);
}

std::optional<Note> Head::next_note() {
  const MutexLock lock(mutex_);
  for (Peer& peer : peers_) {
    if (auto note = peer.mail.next(now())) return note;
  }
  return std::nullopt;
}

void Head::rewind() {
  const MutexLock lock(mutex_);
  for (Peer& peer : peers_) peer.mail.rewind();
}

bool Head::hears_members() const {
  const MutexLock lock(mutex_);
  return std::all_of(peers_.begin(), peers_.end(),
                     [&](const Peer& peer) { return peer.mail.unanswered(now()) < kHeardWithin; });
}

Status Head::wait_until_ready(const std::function<bool()>& given_up) {
  const MutexLock lock(mutex_);
  while (true) {
    bool ready = true;
    for (const Peer& peer : peers_) {
      if (peer.end) PM_TRY(Status(peer.end->status));
      ready &= peer.ready || peer.end;
    }
    if (ready || given_up()) return {};
    told_.wait(mutex_);
  }
}

Status Head::part(Millis patience, const std::function<bool()>& given_up) {
  const MonotonicTime deadline = now() + patience;
  {
    const MutexLock lock(mutex_);
    for (Peer& peer : peers_) {
      if (!peer.end) post(peer, StopDaemon{});
    }
  }
  changed_();
  const MutexLock lock(mutex_);
  const auto all_ended = [&]() PM_REQUIRES(mutex_) {
    return std::all_of(peers_.begin(), peers_.end(),
                       [](const Peer& peer) { return peer.end.has_value(); });
  };
  while (!all_ended() && !given_up()) {
    if (!told_.wait_until(mutex_, deadline)) break;
  }
  std::string missing;
  for (const Peer& peer : peers_) {
    if (peer.end) PM_TRY(Status(peer.end->status));
    if (!peer.end) missing += (missing.empty() ? "" : ", ") + peer.host.worker;
  }
  if (missing.empty()) return {};
  return unavailable("worker " + missing + " has not told that nothing of the gang is left there");
}

void Head::nudge() {
  {
    const MutexLock lock(mutex_);  // who looks at `given_up` does not miss it
  }
  told_.notify_all();
}

}  // namespace prefixmem::agent
