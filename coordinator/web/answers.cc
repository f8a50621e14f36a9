#include "coordinator/web/answers.h"

#include <fmt/format.h>

#include <utility>

#include "common/proto/message_json.h"
#include "common/proto/spec_proto.h"
#include "common/spec/spec_io.h"
#include "common/spec/utf8.h"
#include "coordinator/web/assets.h"

namespace prefixmem::web {
namespace {

Answer page(std::string body, std::string_view content_type) {
  return HttpServer::Answer(Page{std::move(body), std::string(content_type)});
}

}  // namespace

Answer asset(const std::string& name) {
  const Asset* found = find_asset(name);
  if (found != nullptr) return page(std::string(found->content), found->content_type);
  return not_found(fmt::format("there is no /assets/{}", spec::shortened(name, 80)));
}

Answer json(const google::protobuf::Message& message) {
  PM_ASSIGN(std::string text, message_json(message));
  return page(std::move(text), "application/json");
}

Answer yaml(const v1::JobSpec& spec) {
  PM_ASSIGN(const JobSpec read, job_spec_from_proto(spec));
  return page(to_yaml(read), "text/plain; charset=utf-8");
}

Answer live(const RoutesContext& context, std::unique_ptr<Feed> feed, LiveStream::Pace pace,
            const std::string& subscribed) {
  const auto stream = std::make_shared<LiveStream>(
      std::move(feed), pace, context.coordinator.subscriptions(), subscribed, context.closing);
  return HttpServer::Answer(
      HttpStream{.content_type = "text/event-stream", .next = [stream] { return stream->next(); }});
}

Answer resubmit(const RoutesContext& context, const v1::JobSpec& spec, const HttpRequest& request) {
  const std::string key = request.value("key");
  PM_TRY(Coordinator::check_key(key));
  PM_ASSIGN(const JobSpec read, job_spec_from_proto(spec));
  PM_ASSIGN(const std::string tenant, context.door.tenant_of(request));
  return json(context.coordinator.submit(read, key, tenant));
}

}  // namespace prefixmem::web
