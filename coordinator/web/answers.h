// What several routes answer with.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>

#include "coordinator/web/live_stream.h"
#include "coordinator/web/routes.h"

namespace prefixmem::web {

using Answer = Result<HttpServer::Answer>;

// A file of assets/. NOT_FOUND.
Answer asset(const std::string& name);

// A message as message_json writes it.
Answer json(const google::protobuf::Message& message);
template <class Message>
Answer json(const Result<Message>& made) {
  if (!made.ok()) return made.status();
  return json(*made);
}

// A stored spec as `pmt show` prints it.
Answer yaml(const v1::JobSpec& spec);

// Makes routes whose paths begin with `prefix`, in which the first group names what `find` gives.
// The work of each is given that and the request.
template <class Find>
auto routes_below(const std::string& prefix, const Find& find) {
  return [=](HttpServer::Method method, const char* path, const auto& work) {
    const auto handler = [find, work](const HttpRequest& request) -> Answer {
      PM_ASSIGN(const auto found, find(request.parts.at(0)));
      return work(found, request);
    };
    return HttpServer::Route{prefix + path, handler, method};
  };
}

// What the feed gives, as it comes. `subscribed`: whose change is worth a look.
Answer live(const RoutesContext& context, std::unique_ptr<Feed> feed, LiveStream::Pace pace,
            const std::string& subscribed);

// Submits a stored spec again for the request's sender: a job or sweep of its own, unless the
// request's `key` was used before.
Answer resubmit(const RoutesContext& context, const v1::JobSpec& spec, const HttpRequest& request);

}  // namespace prefixmem::web
