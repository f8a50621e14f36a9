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
#include "common/tls/files.h"

namespace prefixmem {

inline constexpr const char* kPlainText = "text/plain; charset=utf-8";
inline constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

struct HttpRequest {
  std::string path = {};                     // decoded
  std::string peer = {};                     // ADDRESS:PORT of the sender
  std::vector<std::string> parts;            // what the groups of the route's path matched, decoded
  std::map<std::string, std::string> query;  // decoded; of a repeated name any value

  std::map<std::string, std::string> headers = {};  // by name in lower case; of a repeated one any

  // Empty where it is not there.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  std::string value(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? "" : found->second;
  }
};

struct Page {
  std::string body;
  std::string content_type;
  int status = 200;
  std::map<std::string, std::string> headers = {};
};

// A body that is made while it is sent.
struct HttpStream {
  std::string content_type;
  std::string file_name = "";  // not empty: to be kept as a file of this name
  // The next piece; empty: there is none yet, ask again; none: the end. A failure breaks the answer
  // off. May wait for some seconds; whoever destroys the server sees to it that it does not then.
  std::function<Result<std::optional<std::string>>()> next;
};

struct HttpOptions {
  int most_streams = 0;       // served at once, each on a thread; further ones are answered 503
  tls::ServerFiles tls = {};  // its cert and key: https, which follows files that are replaced
};

// Answers requests, from construction to destruction, on threads of its own. No answer may be kept
// by a cache, run a script or a style of another origin, or be framed.
class HttpServer {
 public:
  using Answer = std::variant<Page, HttpStream>;
  // A failure becomes a plain answer with its sentence, of status http_status(its code). Called on
  // any of the server's threads.
  using Handler = std::function<Result<Answer>(const HttpRequest&)>;

  // A POST is answered 403 unless it comes from a page of this server (same_origin.h); its body is
  // not read.
  enum class Method { kGet, kPost };

  struct Route {
    std::string path;  // a regular expression that the whole decoded path has to match
    Handler handler;
    Method method = Method::kGet;
  };
  using Routes = std::vector<Route>;  // the first that matches answers

  // FAILED_PRECONDITION where the address cannot be listened on; tls::check() of the files.
  static Result<std::unique_ptr<HttpServer>> start(const HostPort& address, Routes routes,
                                                   const HttpOptions& options = {});
  ~HttpServer();

  // Where it listens, with the real port.
  const std::string& address() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// 400, 404, 409, 503 or 500.
int http_status(Code code);

}  // namespace prefixmem
