#include "common/http/http_server.h"

#include <httplib.h>

#include <atomic>
#include <thread>
#include <utility>

namespace prefixmem {
namespace {

constexpr size_t kOtherThreads = 8;  // a connection that is kept alive holds one
constexpr const char* kPlainText = "text/plain; charset=utf-8";

// The library's own choice, SO_REUSEPORT, would let two programs share a port.
void reuse_address(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

int status_of(Code code) {
  if (code == Code::kNotFound) return 404;
  return code == Code::kUnavailable ? 503 : 500;
}

void refuse(const Status& status, httplib::Response& response) {
  response.status = status_of(status.code());
  response.set_content(status.message() + "\n", kPlainText);
}

// Counts itself while it lives; false once there are too many.
class Place {
 public:
  explicit Place(std::atomic<int>& taken) : taken_(taken), number_(++taken) {}
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool granted() const { return number_ <= HttpServer::kMostStreams; }

 private:
  std::atomic<int>& taken_;
  const int number_;
};

// A failure on the way can only break the answer off.
void send(HttpStream stream, std::atomic<int>& streams, httplib::Response& response) {
  auto place = std::make_shared<const Place>(streams);
  if (!place->granted()) {
    return refuse(unavailable(std::to_string(HttpServer::kMostStreams) +
                              " streams are open; allowed: no more at once"),
                  response);
  }
  if (!stream.file_name.empty()) {
    response.set_header("Content-Disposition", "attachment; filename=\"" + stream.file_name + "\"");
  }
  const std::string type = stream.content_type;
  response.set_chunked_content_provider(
      type, [next = std::move(stream.next), place](size_t, httplib::DataSink& sink) {
        const auto piece = next();
        if (!piece.ok()) return false;
        if (!*piece) {
          sink.done();
          return true;
        }
        return (*piece)->empty() || sink.write((*piece)->data(), (*piece)->size());
      });
}

HttpRequest request_of(const httplib::Request& request) {
  HttpRequest wanted;
  for (size_t i = 1; i < request.matches.size(); ++i) wanted.parts.push_back(request.matches[i]);
  wanted.last_event_id = request.get_header_value("Last-Event-ID");
  return wanted;
}

void answer(const HttpServer::Handler& handler, const httplib::Request& request,
            std::atomic<int>& streams, httplib::Response& response) {
  auto made = handler(request_of(request));
  response.set_header("X-Content-Type-Options", "nosniff");
  if (!made.ok()) return refuse(made.status(), response);
  if (auto* stream = std::get_if<HttpStream>(&*made)) {
    return send(std::move(*stream), streams, response);
  }
  const Page& page = std::get<Page>(*made);
  response.set_content(page.body, page.content_type.c_str());
}

int bind_to(httplib::Server& server, const HostPort& address) {
  if (address.port == 0) return server.bind_to_any_port(address.host.c_str());
  return server.bind_to_port(address.host.c_str(), address.port) ? address.port : -1;
}

}  // namespace

struct HttpServer::State {
  std::atomic<int> streams = 0;  // that are open
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

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HostPort& address, Routes routes) {
  auto state = std::make_unique<State>();
  httplib::Server& server = state->server;
  server.set_socket_options(reuse_address);
  server.new_task_queue = [] { return new httplib::ThreadPool(kOtherThreads + kMostStreams); };
  for (auto& [path, handler] : routes) {
    server.Get(path, [handler = std::move(handler), &streams = state->streams](
                         const httplib::Request& request, httplib::Response& response) {
      answer(handler, request, streams, response);
    });
  }
  const int port = bind_to(server, address);
  if (port < 0) return failed_precondition("cannot listen on " + address.to_string() + " for HTTP");
  state->address = HostPort{address.host, port}.to_string();
  state->listen();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  state_->server.stop();
  state_->listener.join();
}

const std::string& HttpServer::address() const { return state_->address; }

}  // namespace prefixmem
