#include "worker/agent/exporter/metrics_server.h"

#include <httplib.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <charconv>
#include <thread>

namespace prefixmem::agent {
namespace {

constexpr const char* kTextFormat = "text/plain; version=0.0.4; charset=utf-8";
constexpr size_t kThreads = 4;

// The library's own choice, SO_REUSEPORT, would let two workers share a port.
void reuse_address(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

}  // namespace

Result<HostPort> parse_host_port(const std::string& flag, const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort out;
  const char* const end = text.data() + text.size();
  if (colon != std::string::npos && colon > 0) {
    out.host = text.substr(0, colon);
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, out.port);
    if (error == std::errc() && rest == end && out.port >= 0 && out.port <= 65535) return out;
  }
  return invalid_argument(flag + " is " + text + "; allowed: HOST:PORT, e.g. 127.0.0.1:0");
}

std::string metrics_page(prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

struct MetricsServer::State {
  httplib::Server server;
  std::string address;
  std::atomic<bool> ended = false;
  std::thread listener;

  // Returns once the server listens for its stop(), which it does not hear before.
  void listen() {
    listener = std::thread([this] {
      server.listen_after_bind();
      ended = true;
    });
    while (!server.is_running() && !ended) std::this_thread::yield();
  }
};

MetricsServer::MetricsServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const HostPort& address,
                                                            prometheus::Registry& registry,
                                                            std::function<void()> before_scrape) {
  auto state = std::make_unique<State>();
  httplib::Server& server = state->server;
  server.set_socket_options(reuse_address);
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.Get("/metrics", [&registry, before_scrape = std::move(before_scrape)](
                             const httplib::Request&, httplib::Response& response) {
    before_scrape();
    response.set_content(metrics_page(registry), kTextFormat);
  });
  const int port = address.port == 0 ? server.bind_to_any_port(address.host)
                   : server.bind_to_port(address.host, address.port) ? address.port
                                                                     : -1;
  const std::string wanted = address.host + ":" + std::to_string(address.port);
  if (port < 0) return failed_precondition("cannot listen on " + wanted + " for metrics");
  state->address = address.host + ":" + std::to_string(port);
  state->listen();
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
}

MetricsServer::~MetricsServer() {
  state_->server.stop();
  state_->listener.join();
}

const std::string& MetricsServer::address() const { return state_->address; }

}  // namespace prefixmem::agent
