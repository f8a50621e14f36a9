#include "common/http/http_server.h"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <thread>
#include <utility>

#include "common/guarded.h"
#include "common/http/same_origin.h"
#include "common/tls/port_identity.h"

namespace prefixmem {
namespace {

constexpr size_t kOtherThreads = 8;     // a connection that is kept alive holds one
constexpr size_t kMostBytes = 1 << 16;  // of a request's body
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' "
    "data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// The library's own choice, SO_REUSEPORT, would let two programs share a port.
void reuse_address(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

void refuse(const Status& status, httplib::Response& response) {
  response.status = http_status(status.code());
  response.set_content(status.message() + "\n", kPlainText);
}

// Streams that are open.
struct Streams {
  int most = 0;
  std::atomic<int> open = 0;
};

// Counts itself until it leaves, at the latest when it dies.
class Place {
 public:
  explicit Place(Streams& streams) : streams_(streams), granted_(++streams.open <= streams.most) {}
  ~Place() { leave(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool granted() const { return granted_; }
  void leave() {
    if (!std::exchange(left_, true)) --streams_.open;
  }

 private:
  Streams& streams_;
  const bool granted_;
  bool left_ = false;
};

void send(HttpStream stream, Streams& streams, httplib::Response& response) {
  auto place = std::make_shared<Place>(streams);
  if (!place->granted()) {
    return refuse(
        unavailable(std::to_string(streams.most) + " streams are open; allowed: no more at once"),
        response);
  }
  if (!stream.file_name.empty()) {
    response.set_header("Content-Disposition", "attachment; filename=\"" + stream.file_name + "\"");
  }
  const std::string type = stream.content_type;
  response.set_chunked_content_provider(
      type, [next = std::move(stream.next), place](size_t, httplib::DataSink& sink) {
        const auto piece = guarded(next);
        if (piece.ok() && *piece) {
          return (*piece)->empty() || sink.write((*piece)->data(), (*piece)->size());
        }
        place->leave();  // before its client can tell that it is over, and ask for the next
        if (piece.ok()) sink.done();
        return piece.ok();
      });
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

HttpRequest request_of(const httplib::Request& request) {
  HttpRequest wanted;
  wanted.path = request.path;
  wanted.peer = HostPort{request.remote_addr, request.remote_port}.to_string();
  for (const auto& [name, value] : request.headers) wanted.headers[lower_case(name)] = value;
  for (size_t i = 1; i < request.matches.size(); ++i) wanted.parts.push_back(request.matches[i]);
  wanted.query.insert(request.params.begin(), request.params.end());
  return wanted;
}

void answer(const HttpServer::Handler& handler, const httplib::Request& request, Streams& streams,
            httplib::Response& response) {
  auto made = guarded([&] { return handler(request_of(request)); });
  if (!made.ok()) return refuse(made.status(), response);
  if (auto* stream = std::get_if<HttpStream>(&*made)) {
    return send(std::move(*stream), streams, response);
  }
  const Page& page = std::get<Page>(*made);
  response.status = page.status;
  for (const auto& [name, value] : page.headers) response.set_header(name.c_str(), value);
  response.set_content(page.body, page.content_type.c_str());
}

httplib::Server::Handler from_own_pages(httplib::Server::Handler respond, bool on_loopback) {
  return [respond = std::move(respond), on_loopback](const httplib::Request& request,
                                                     httplib::Response& response) {
    const Status allowed =
        check_same_origin({.host = request.get_header_value("Host"),
                           .origin = request.get_header_value("Origin"),
                           .fetch_site = request.get_header_value("Sec-Fetch-Site")},
                          on_loopback);
    if (allowed.ok()) return respond(request, response);
    refuse(allowed, response);
    response.status = 403;
  };
}

// Of a request that does not say how long its body is the library would take what comes until the
// connection ends, and then do what it asks for although its sender has gone.
httplib::Server::HandlerResponse refuse_without_length(const httplib::Request& request,
                                                       httplib::Response& response) {
  const bool told = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
  if (request.method == "GET" || request.method == "HEAD" || told) {
    return httplib::Server::HandlerResponse::Unhandled;
  }
  response.status = 411;
  response.set_content(request.method +
                           " has no Content-Length; allowed: 0 where there is no body, which curl "
                           "sends with -d ''\n",
                       "text/plain");
  return httplib::Server::HandlerResponse::Handled;
}

// Without an identity it speaks no TLS.
std::unique_ptr<httplib::Server> make_server(tls::PortIdentity* identity) {
  if (identity == nullptr) return std::make_unique<httplib::Server>();
  return std::make_unique<httplib::SSLServer>([identity](SSL_CTX& context) {
    identity->serve(context);
    return true;
  });
}

int bind_to(httplib::Server& server, const HostPort& address) {
  if (address.port == 0) return server.bind_to_any_port(address.host.c_str());
  return server.bind_to_port(address.host.c_str(), address.port) ? address.port : -1;
}

}  // namespace

struct HttpServer::State {
  Streams streams;
  std::unique_ptr<tls::PortIdentity> identity;  // null: no TLS
  std::unique_ptr<httplib::Server> server;
  std::string address;
  std::atomic<bool> ended = false;
  std::thread listener;

  // Returns once the server listens for its stop(), which it does not hear before.
  void listen() {
    listener = std::thread([this] {
      server->listen_after_bind();
      ended = true;
    });
    while (!server->is_running() && !ended) std::this_thread::yield();
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HostPort& address, Routes routes,
                                                      const HttpOptions& options) {
  auto state = std::make_unique<State>();
  state->streams.most = options.most_streams;
  if (options.tls.any()) {
    PM_ASSIGN(state->identity, tls::PortIdentity::read(options.tls));
  }
  state->server = make_server(state->identity.get());
  httplib::Server& server = *state->server;
  server.set_socket_options(reuse_address);
  server.new_task_queue = [threads = kOtherThreads + static_cast<size_t>(options.most_streams)] {
    return new httplib::ThreadPool(threads);
  };
  server.set_default_headers({{"Content-Security-Policy", kContentSecurityPolicy},
                              {"X-Content-Type-Options", "nosniff"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cache-Control", "no-store"}});
  server.set_payload_max_length(kMostBytes);
  server.set_pre_routing_handler(refuse_without_length);
  for (Route& route : routes) {
    const auto respond = [handler = std::move(route.handler), &streams = state->streams](
                             const httplib::Request& request, httplib::Response& response) {
      answer(handler, request, streams, response);
    };
    if (route.method == Method::kGet) {
      server.Get(route.path, respond);
    } else {
      server.Post(route.path, from_own_pages(respond, is_loopback(address.host)));
    }
  }
  const int port = bind_to(server, address);
  if (port < 0) return failed_precondition("cannot listen on " + address.to_string() + " for HTTP");
  state->address = HostPort{address.host, port}.to_string();
  state->listen();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  state_->server->stop();
  state_->listener.join();
}

const std::string& HttpServer::address() const { return state_->address; }

int http_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kNotFound:
      return 404;
    case Code::kFailedPrecondition:
      return 409;
    case Code::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

}  // namespace prefixmem
