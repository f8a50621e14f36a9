// A small HTTP server for pages and /metrics.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/http/host_port.h"
#include "common/status.h"

namespace prefixmem {

inline constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";
inline constexpr const char* kHtml = "text/html; charset=utf-8";

struct Page {
  std::string body;
  std::string content_type = kHtml;
};

// Answers GET of exact paths, from construction to destruction, on threads of its own.
class HttpServer {
 public:
  // A failure becomes a plain answer of 500 with its sentence. Called on any of its threads.
  using Handler = std::function<Result<Page>()>;

  // FAILED_PRECONDITION where the address cannot be listened on.
  static Result<std::unique_ptr<HttpServer>> start(const HostPort& address,
                                                   std::map<std::string, Handler> pages);
  ~HttpServer();

  // Where it listens, with the real port.
  const std::string& address() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace prefixmem
