#include "coordinator/web/routes.h"

#include <utility>

#include "common/disk_space.h"
#include "coordinator/web/answers.h"
#include "coordinator/web/job_routes.h"
#include "coordinator/web/overview_feed.h"
#include "coordinator/web/sweep_routes.h"

namespace prefixmem::web {
namespace {

// Workers' figures change by the second.
constexpr LiveStream::Pace kOverviewPace{.least = Millis(1000), .most = Millis(1000)};
constexpr const char* kNobody = "";  // only the end of the service wakes it

Answer metrics(const RoutesContext& context) {
  Overview overview = context.coordinator.overview();
  PM_ASSIGN(overview.jobs, context.coordinator.reader().count_by_state());
  PM_ASSIGN(overview.sweeps, context.coordinator.reader().count_by_sweep());
  PM_ASSIGN(overview.disk, disk_space(context.data_dir));
  overview.certificates = tls::expiries(context.tls);
  return HttpServer::Answer(Page{context.metrics.text(overview), kPrometheusText});
}

Answer follow(const RoutesContext& context) {
  return live(context, std::make_unique<OverviewFeed>(context.coordinator), kOverviewPace, kNobody);
}

HttpServer::Handler fixed(const char* name) {
  return [name](const HttpRequest&) { return asset(name); };
}

}  // namespace

HttpServer::Routes routes(const RoutesContext& context) {
  Door& door = context.door;
  HttpServer::Routes all = {
      door.page({"/", fixed("overview.html")}),
      door.page({"/jobs/[^/]+", fixed("job.html")}),
      door.page({"/sweeps/[^/]+", fixed("sweep.html")}),
      door.page({"/workers/[^/]+", fixed("worker.html")}),
      {"/login", fixed("login.html")},
      {"/assets/([^/]+)", [](const HttpRequest& request) { return asset(request.parts.at(0)); }},
      door.behind({"/metrics", [context](const HttpRequest&) { return metrics(context); }}),
      door.behind(
          {"/api/overview/live", [context](const HttpRequest&) { return follow(context); }}),
  };
  for (const auto& more : {job_routes(context), sweep_routes(context)}) {
    for (const HttpServer::Route& route : more) all.push_back(door.behind(route));
  }
  for (HttpServer::Route& route : door.routes()) all.push_back(std::move(route));
  return all;
}

}  // namespace prefixmem::web
