// A small HTTP server for pages, files and /metrics.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/http/host_port.h"
#include "common/status.h"

namespace prefixmem {

inline constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";
inline constexpr const char* kHtml = "text/html; charset=utf-8";

struct HttpRequest {
  std::vector<std::string> parts;  // what the groups of the route matched
  std::string last_event_id;       // where a browser goes on in a stream of events; empty: nowhere
};

struct Page {
  std::string body;
  std::string content_type = kHtml;
};

// A body that is made while it is sent.
struct HttpStream {
  std::string content_type;
  std::string file_name = "";  // not empty: to be kept as a file of this name
  // The next piece; empty: there is none yet, ask again; none: the end. May wait for some seconds;
  // whoever destroys the server sees to it that it does not wait then.
  std::function<Result<std::optional<std::string>>()> next;
};

// Answers GET, from construction to destruction, on threads of its own. A stream holds one of them;
// kMostStreams are served at once, further ones are answered 503.
class HttpServer {
 public:
  static constexpr int kMostStreams = 32;

  using Answer = std::variant<Page, HttpStream>;
  // A failure becomes a plain answer with its sentence: 404 for NOT_FOUND, 503 for UNAVAILABLE, 500
  // for any other. Called on any of the server's threads.
  using Handler = std::function<Result<Answer>(const HttpRequest&)>;
  // By path: a regular expression that the whole decoded path has to match.
  using Routes = std::map<std::string, Handler>;

  // FAILED_PRECONDITION where the address cannot be listened on.
  static Result<std::unique_ptr<HttpServer>> start(const HostPort& address, Routes routes);
  ~HttpServer();

  // Where it listens, with the real port.
  const std::string& address() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace prefixmem
