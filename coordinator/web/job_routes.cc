#include "coordinator/web/job_routes.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "common/proto/job_state.h"
#include "common/spec/utf8.h"
#include "coordinator/core/find_job.h"
#include "coordinator/web/answers.h"
#include "coordinator/web/job_feed.h"

namespace prefixmem::web {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr LiveStream::Pace kJobPace{.least = Millis(250), .most = Millis(10000)};

// "" is 0.
Result<int64_t> number_of_event(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || (error == std::errc() && rest == end && number >= 0)) return number;
  return invalid_argument(
      fmt::format("after is \"{}\"; allowed: the number of an event", spec::shortened(text, 80)));
}

Answer follow(const RoutesContext& context, const v1::Job& job, const std::string& after) {
  PM_ASSIGN(const int64_t number, number_of_event(after));
  auto feed = std::make_unique<JobFeed>(context.coordinator.reader(), job.id(), number);
  return live(context, std::move(feed), kJobPace, job.id());
}

// Safe inside a quoted header.
std::string plain_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  return name;
}

Answer artifact(Coordinator& coordinator, const v1::Job& job, const std::string& path) {
  PM_ASSIGN(const auto found, coordinator.reader().newest_version(job.id(), path));
  if (!found) {
    return not_found(fmt::format("job {} has no artifact \"{}\"{}", job.id(),
                                 spec::shortened(path, 200), removed_text(job)));
  }
  PM_ASSIGN(auto blob, coordinator.blobs().read(found->sha256()));
  const auto reader = std::shared_ptr<store::BlobReader>(std::move(blob));
  const auto next = [reader]() -> Result<std::optional<std::string>> {
    PM_ASSIGN(std::string bytes, reader->read(kChunkBytes));
    if (bytes.empty()) return std::optional<std::string>();
    return std::optional(std::move(bytes));
  };
  return HttpServer::Answer(HttpStream{
      .content_type = "application/octet-stream", .file_name = plain_name(path), .next = next});
}

Answer artifacts(Coordinator& coordinator, const v1::Job& job) {
  PM_ASSIGN(auto found, coordinator.reader().artifacts(job.id()));
  v1::ListArtifactsResponse listed;
  for (v1::Artifact& one : found) *listed.add_artifacts() = std::move(one);
  return json(listed);
}

// What `change` gives, where the sender may change the job.
template <class Change>
Answer changed(const RoutesContext& context, const v1::Job& job, const HttpRequest& request,
               const Change& change) {
  PM_TRY(context.door.may_change(request, "job " + job.id(), auth::tenant_of(job)));
  return json(change(context.coordinator));
}

}  // namespace

HttpServer::Routes job_routes(const RoutesContext& context) {
  Coordinator& coordinator = context.coordinator;
  const auto route = routes_below("/api/jobs/([^/]+)", [&coordinator](const std::string& job) {
    return find_job(coordinator.reader(), job);
  });
  using enum HttpServer::Method;
  return {
      route(kGet, "", [](const v1::Job& job, auto&) { return json(job); }),
      route(kGet, "/spec", [](const v1::Job& job, auto&) { return yaml(job.spec()); }),
      route(kGet, "/live",
            [context](const v1::Job& job, const HttpRequest& request) {
              return follow(context, job, request.value("after"));
            }),
      route(kGet, "/artifacts",
            [&coordinator](const v1::Job& job, auto&) { return artifacts(coordinator, job); }),
      route(kGet, "/artifacts/(.+)",
            [&coordinator](const v1::Job& job, const HttpRequest& request) {
              return artifact(coordinator, job, request.parts.at(1));
            }),
      route(kPost, "/cancel",
            [context](const v1::Job& job, const HttpRequest& request) {
              return changed(context, job, request, [&](Coordinator& coordinator) {
                return coordinator.cancel(job.id());
              });
            }),
      route(kPost, "/(pin|unpin)",
            [context](const v1::Job& job, const HttpRequest& request) {
              return changed(context, job, request, [&](Coordinator& coordinator) {
                return coordinator.pin_job(job.id(), request.parts.at(1) == "pin");
              });
            }),
      route(kPost, "/(remove|remove-files)",
            [context](const v1::Job& job, const HttpRequest& request) {
              return changed(context, job, request, [&](Coordinator& coordinator) {
                return coordinator.remove_job(job.id(), request.parts.at(1) == "remove-files");
              });
            }),
      route(kPost, "/resubmit",
            [context](const v1::Job& job, const HttpRequest& request) {
              return resubmit(context, job.spec(), request);
            }),
  };
}

}  // namespace prefixmem::web
