#include "coordinator/web/pages.h"

#include <fmt/format.h>

#include "common/disk_space.h"
#include "common/files.h"
#include "coordinator/core/find_job.h"
#include "coordinator/web/assets.h"
#include "coordinator/web/event_stream.h"
#include "coordinator/web/job_page.h"
#include "coordinator/web/overview_page.h"

namespace prefixmem::web {
namespace {

using Answer = Result<HttpServer::Answer>;

constexpr int kJobsShown = 50;
constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr const char* kScript = "text/javascript; charset=utf-8";
constexpr const char* kStyle = "text/css; charset=utf-8";
constexpr const char* kJson = "application/json";
constexpr const char* kChartFile = "/usr/share/javascript/chart.js/chart.min.js";

Result<Overview> look_over(const PagesContext& context) {
  Overview overview = context.coordinator.overview();
  PM_ASSIGN(overview.jobs, context.coordinator.reader().count_by_state());
  PM_ASSIGN(overview.sweeps, context.coordinator.reader().count_by_sweep());
  PM_ASSIGN(overview.disk, disk_space(context.data_dir));
  return overview;
}

Answer metrics(const PagesContext& context) {
  PM_ASSIGN(const Overview overview, look_over(context));
  return HttpServer::Answer(Page{context.metrics.text(overview), kPrometheusText});
}

Answer overview(const PagesContext& context) {
  PM_ASSIGN(const Overview overview, look_over(context));
  PM_ASSIGN(const auto newest, context.coordinator.reader().list({}, kJobsShown));
  return HttpServer::Answer(Page{overview_page(overview, newest.jobs)});
}

Answer job_json_of(const PagesContext& context, const HttpRequest& request) {
  store::Reader& reader = context.coordinator.reader();
  PM_ASSIGN(const v1::Job job, find_job(reader, request.parts.at(0)));
  PM_ASSIGN(const auto artifacts, reader.artifacts(job.id()));
  PM_ASSIGN(std::string text, job_json(job, artifacts));
  return HttpServer::Answer(Page{std::move(text), kJson});
}

Answer events(const PagesContext& context, const HttpRequest& request) {
  Coordinator& coordinator = context.coordinator;
  PM_ASSIGN(const v1::Job job, find_job(coordinator.reader(), request.parts.at(0)));
  PM_ASSIGN(const int64_t from, first_event_after(request.last_event_id));
  const auto stream = std::make_shared<EventStream>(
      coordinator.reader(), coordinator.subscriptions(), job.id(), from, context.closing);
  return HttpServer::Answer(
      HttpStream{"text/event-stream", "", [stream] { return stream->next(); }});
}

std::string plain_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  return name;
}

Answer file(const PagesContext& context, const HttpRequest& request) {
  Coordinator& coordinator = context.coordinator;
  PM_ASSIGN(const v1::Job job, find_job(coordinator.reader(), request.parts.at(0)));
  const std::string& path = request.parts.at(1);
  PM_ASSIGN(const auto artifact, coordinator.reader().newest_version(job.id(), path));
  if (!artifact) return not_found(fmt::format("job {} has no file {}", job.id(), path));
  PM_ASSIGN(store::BlobReader blob, coordinator.blobs().read(artifact->sha256()));
  const auto reader = std::make_shared<store::BlobReader>(std::move(blob));
  return HttpServer::Answer(HttpStream{"application/octet-stream", plain_name(path),
                                       [reader]() -> Result<std::optional<std::string>> {
                                         PM_ASSIGN(std::string bytes, reader->read(kChunkBytes));
                                         if (bytes.empty()) return std::optional<std::string>();
                                         return std::optional(std::move(bytes));
                                       }});
}

Answer chart_script() {
  PM_ASSIGN(std::string script, read_file(kChartFile));
  return HttpServer::Answer(Page{std::move(script), kScript});
}

}  // namespace

HttpServer::Routes routes(const PagesContext& context) {
  return {
      {"/", [context](const HttpRequest&) { return overview(context); }},
      {"/metrics", [context](const HttpRequest&) { return metrics(context); }},
      {"/jobs/([^/]+)",
       [context](const HttpRequest& request) -> Answer {
         PM_ASSIGN(const v1::Job job, find_job(context.coordinator.reader(), request.parts.at(0)));
         return HttpServer::Answer(Page{job_page(job)});
       }},
      {"/jobs/([^/]+)/job\\.json",
       [context](const HttpRequest& request) { return job_json_of(context, request); }},
      {"/jobs/([^/]+)/events",
       [context](const HttpRequest& request) { return events(context, request); }},
      {"/jobs/([^/]+)/files/(.+)",
       [context](const HttpRequest& request) { return file(context, request); }},
      {"/assets/job\\.js",
       [](const HttpRequest&) -> Answer {
         return HttpServer::Answer(Page{std::string(kJobScript), kScript});
       }},
      {"/assets/style\\.css",
       [](const HttpRequest&) -> Answer {
         return HttpServer::Answer(Page{std::string(kStyleSheet), kStyle});
       }},
      {"/assets/chart\\.js", [](const HttpRequest&) { return chart_script(); }},
  };
}

}  // namespace prefixmem::web
