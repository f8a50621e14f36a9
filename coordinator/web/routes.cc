#include "coordinator/web/routes.h"

#include <iterator>
#include <utility>

#include "common/disk_space.h"
#include "coordinator/web/answers.h"
#include "coordinator/web/job_routes.h"
#include "coordinator/web/overview_feed.h"
#include "coordinator/web/sweep_routes.h"

namespace prefixmem::web {
namespace {

// Workers' figures change by the second.
constexpr LiveStream::Pace kPace{.least = Millis(1000), .most = Millis(1000)};
constexpr const char* kNobody = "";  // only the end of the service wakes it

Answer metrics(const RoutesContext& context) {
  Overview overview = context.coordinator.overview();
  PM_ASSIGN(overview.jobs, context.coordinator.reader().count_by_state());
  PM_ASSIGN(overview.sweeps, context.coordinator.reader().count_by_sweep());
  PM_ASSIGN(overview.disk, disk_space(context.data_dir));
  return HttpServer::Answer(Page{context.metrics.text(overview), kPrometheusText});
}

Answer follow(const RoutesContext& context) {
  return live(context, std::make_unique<OverviewFeed>(context.coordinator), kPace, kNobody);
}

Answer refuse(const HttpRequest&) {
  return failed_precondition(
      "this coordinator asks for tokens, which its pages do not: nothing can be changed here; use "
      "pmt");
}

HttpServer::Handler fixed(const char* name) {
  return [name](const HttpRequest&) { return asset(name); };
}

}  // namespace

HttpServer::Routes routes(const RoutesContext& context) {
  HttpServer::Routes all = {
      {"/", fixed("overview.html")},
      {"/jobs/[^/]+", fixed("job.html")},
      {"/sweeps/[^/]+", fixed("sweep.html")},
      {"/workers/[^/]+", fixed("worker.html")},
      {"/assets/([^/]+)", [](const HttpRequest& request) { return asset(request.parts.at(0)); }},
      {"/metrics", [context](const HttpRequest&) { return metrics(context); }},
      {"/api/overview/live", [context](const HttpRequest&) { return follow(context); }},
  };
  for (auto more : {job_routes(context), sweep_routes(context)}) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
  }
  if (!context.read_only) return all;
  for (HttpServer::Route& route : all) {
    if (route.method == HttpServer::Method::kPost) route.handler = refuse;
  }
  return all;
}

}  // namespace prefixmem::web
