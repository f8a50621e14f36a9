// What the overview and the page of a worker are sent.
#pragma once

#include <string>

#include "coordinator/core/coordinator.h"
#include "coordinator/web/live_stream.h"

namespace prefixmem::web {

// "workers": the ListWorkersResponse; "counts": all jobs by state, as TrialCounts; "unfinished" and
// "ended": the newest jobs that have not or have ended, as ListJobsResponse; "sweeps": the newest,
// as ListSweepsResponse. Each whenever it has changed; jobs and sweeps without specs. Never ends.
class OverviewFeed final : public Feed {
 public:
  // The coordinator outlives the feed.
  explicit OverviewFeed(Coordinator& coordinator) : coordinator_(coordinator) {}

  Result<News> news() override;

 private:
  Result<std::string> workers();
  Result<std::string> counts();
  static Result<std::string> jobs(Told& told, Result<store::JobPage> read);
  Result<std::string> sweeps();

  Coordinator& coordinator_;
  Told workers_{"workers"};
  Told counts_{"counts"};
  Told unfinished_{"unfinished"};
  Told ended_{"ended"};
  Told sweeps_{"sweeps"};
};

}  // namespace prefixmem::web
