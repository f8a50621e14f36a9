// Serves /metrics in Prometheus' text format.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/status.h"

namespace prometheus {
class Registry;
}

namespace prefixmem::agent {

// "127.0.0.1:0" into host and port. INVALID_ARGUMENT naming `flag`.
struct HostPort {
  std::string host;
  int port = 0;
};
Result<HostPort> parse_host_port(const std::string& flag, const std::string& text);

// The page's text. Pure but for the registry.
std::string metrics_page(prometheus::Registry& registry);

// Listens from construction to destruction; its threads are its own.
class MetricsServer {
 public:
  // Port 0 takes a free one. `before_scrape` brings the registry up to date, on any thread.
  static Result<std::unique_ptr<MetricsServer>> start(const HostPort& address,
                                                      prometheus::Registry& registry,
                                                      std::function<void()> before_scrape);
  ~MetricsServer();

  // Where it listens, with the real port.
  const std::string& address() const;

 private:
  struct State;
  explicit MetricsServer(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace prefixmem::agent
