#include "coordinator/web/sweep_routes.h"

#include <utility>

#include "coordinator/core/find_job.h"
#include "coordinator/core/sweep_results.h"
#include "coordinator/web/answers.h"
#include "coordinator/web/sweep_feed.h"

namespace prefixmem::web {
namespace {

// A look reads every trial.
constexpr LiveStream::Pace kSweepPace{.least = Millis(1000), .most = Millis(10000)};

Answer results(Coordinator& coordinator, const v1::Sweep& sweep) {
  PM_ASSIGN(const auto jobs, coordinator.reader().trials(sweep.id()));
  return json(results_of(sweep, jobs, ""));
}

Answer follow(const RoutesContext& context, const v1::Sweep& sweep) {
  auto feed = std::make_unique<SweepFeed>(context.coordinator.reader(), sweep.id());
  return live(context, std::move(feed), kSweepPace, sweep.id());
}

// What `change` gives, where the sender may change the sweep.
template <class Change>
Answer changed(const RoutesContext& context, const v1::Sweep& sweep, const HttpRequest& request,
               const Change& change) {
  PM_TRY(context.door.may_change(request, "sweep " + sweep.id(), auth::tenant_of(sweep)));
  return json(change(context.coordinator));
}

}  // namespace

HttpServer::Routes sweep_routes(const RoutesContext& context) {
  Coordinator& coordinator = context.coordinator;
  const auto route = routes_below("/api/sweeps/([^/]+)", [&coordinator](const std::string& sweep) {
    return find_sweep(coordinator.reader(), sweep);
  });
  using enum HttpServer::Method;
  return {
      route(kGet, "",
            [&coordinator](const v1::Sweep& sweep, auto&) { return results(coordinator, sweep); }),
      route(kGet, "/spec", [](const v1::Sweep& sweep, auto&) { return yaml(sweep.spec()); }),
      route(kGet, "/live",
            [context](const v1::Sweep& sweep, auto&) { return follow(context, sweep); }),
      route(kPost, "/cancel",
            [context](const v1::Sweep& sweep, const HttpRequest& request) {
              return changed(context, sweep, request, [&](Coordinator& coordinator) {
                return coordinator.cancel_sweep(sweep.id());
              });
            }),
      route(kPost, "/(remove|remove-files)",
            [context](const v1::Sweep& sweep, const HttpRequest& request) {
              return changed(context, sweep, request, [&](Coordinator& coordinator) {
                return coordinator.remove_sweep(sweep.id(), request.parts.at(1) == "remove-files");
              });
            }),
      route(kPost, "/resubmit",
            [context](const v1::Sweep& sweep, const HttpRequest& request) {
              return resubmit(context, sweep.spec(), request);
            }),
  };
}

}  // namespace prefixmem::web
