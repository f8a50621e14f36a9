#include "common/http/http_server.h"

#include <httplib.h>

#include <atomic>
#include <thread>
#include <utility>

namespace prefixmem {
namespace {

constexpr size_t kThreads = 8;  // a connection that is kept alive holds one
constexpr const char* kPlainText = "text/plain; charset=utf-8";

// The library's own choice, SO_REUSEPORT, would let two programs share a port.
void reuse_address(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

void answer(const HttpServer::Handler& handler, httplib::Response& response) {
  const Result<Page> page = handler();
  if (page.ok()) {
    response.set_content(page->body, page->content_type.c_str());
  } else {
    response.status = 500;
    response.set_content(page.status().message() + "\n", kPlainText);
  }
}

int bind_to(httplib::Server& server, const HostPort& address) {
  if (address.port == 0) return server.bind_to_any_port(address.host.c_str());
  return server.bind_to_port(address.host.c_str(), address.port) ? address.port : -1;
}

}  // namespace

struct HttpServer::State {
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

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HostPort& address,
                                                      std::map<std::string, Handler> pages) {
  auto state = std::make_unique<State>();
  httplib::Server& server = state->server;
  server.set_socket_options(reuse_address);
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  for (auto& [path, handler] : pages) {
    server.Get(
        path, [handler = std::move(handler)](const httplib::Request&, httplib::Response& response) {
          answer(handler, response);
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
