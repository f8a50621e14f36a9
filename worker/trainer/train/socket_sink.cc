#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "common/unix_socket.h"
#include "worker/trainer/collective/call_board.h"
#include "worker/trainer/train/event_sink.h"

namespace prefixmem::trainer {
namespace {

constexpr timeval kSendLimit{30, 0};

class SocketSink final : public EventSink {
 public:
  SocketSink(int socket, AgentRequests& requests)
      : socket_(socket), requests_(requests), watcher_([this] { watch(); }) {}
  ~SocketSink() override {
    closing_ = true;
    shutdown(socket_, SHUT_RDWR);
    watcher_.join();
    close(socket_);
  }

  Status emit(const TrialEvent& event) override { return send_line(to_json_line(event)); }

  Status send_line(std::string line) {
    line += '\n';
    const std::lock_guard lock(mutex_);
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t count = send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        return unavailable(std::string("events: the agent does not take them: ") +
                           std::strerror(errno));
      }
      sent += static_cast<size_t>(count);
    }
    return {};
  }

 private:
  void watch() {
    std::array<char, 256> bytes{};
    std::string line;
    ssize_t count = 0;
    while ((count = recv(socket_, bytes.data(), bytes.size(), 0)) > 0 ||
           (count < 0 && errno == EINTR)) {
      for (ssize_t i = 0; i < count; ++i) {
        if (bytes[i] != '\n') {
          line += bytes[i];
        } else {
          take(std::exchange(line, {}));
        }
      }
    }
    if (closing_) return;
    const Status status = unavailable("events: the agent closed its socket");
    std::fprintf(stderr, "pmt-trainer: %s\n", status.message().c_str());
    std::_Exit(exit_code(status));
  }

  void take(const std::string& line) {
    const Status taken = is_question(line) ? send_line(call_line()) : requests_.take_line(line);
    if (!taken.ok()) std::fprintf(stderr, "pmt-trainer: %s\n", taken.message().c_str());
  }

  // {"where": {}}: which collective call are you in?
  static bool is_question(const std::string& line) {
    const nlohmann::json question = {{"where", nlohmann::json::object()}};
    return nlohmann::json::parse(line, nullptr, false) == question;
  }

  // {"call": {"name": "all_reduce", "number": 12, "seconds": 3.5}}; a name of "" says that it is in
  // none, the number is then that of its last one.
  static std::string call_line() {
    const CallBoard::Entry call = call_board().entry();
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - call.since;
    const double seconds = call.name.empty() ? 0 : waited.count();
    return nlohmann::json{
        {"call", {{"name", call.name}, {"number", call.number}, {"seconds", seconds}}}}
        .dump();
  }

  const int socket_;
  AgentRequests& requests_;
  std::atomic<bool> closing_ = false;
  std::mutex mutex_;  // one line at a time
  std::thread watcher_;
};

}  // namespace

Result<std::unique_ptr<EventSink>> connect_event_sink(const std::string& socket_path, int rank,
                                                      AgentRequests& requests) {
  auto connected = connect_unix(socket_path);
  if (!connected.ok()) return connected.status().with_context("--events");
  const int socket = connected->release();
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kSendLimit, sizeof kSendLimit);
  auto sink = std::make_unique<SocketSink>(socket, requests);
  const nlohmann::json hello = {{"hello", {{"rank", rank}, {"pid", getpid()}}}};
  PM_TRY(sink->send_line(hello.dump()));
  return std::unique_ptr<EventSink>(std::move(sink));
}

}  // namespace prefixmem::trainer
