#include "coordinator/web/sweep_feed.h"

#include <algorithm>

#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"
#include "coordinator/core/sweep_results.h"

namespace prefixmem::web {

Result<News> SweepFeed::news() {
  // Before its trials: where it has ended here, all of them are there.
  PM_ASSIGN(auto sweep, reader_.sweep(sweep_id_));
  if (!sweep) return not_found("sweep " + sweep_id_ + " is gone");
  const bool no_more_trials = has_ended(sweep->state());
  PM_ASSIGN(const auto jobs, reader_.trials(sweep_id_));
  v1::SweepResults results = results_of(*std::move(sweep), jobs, "");
  results.mutable_sweep()->clear_spec();
  News news;
  PM_ASSIGN(news.text, results_.event(results));
  for (const v1::Job& job : jobs) {
    PM_ASSIGN(const std::string event, told(job));
    news.text += event;
  }
  const bool ended =
      no_more_trials && std::all_of(jobs.begin(), jobs.end(),
                                    [](const v1::Job& job) { return has_ended(job.state()); });
  if (ended) news.then = News::Then::kEnd;
  return news;
}

Result<std::string> SweepFeed::told(v1::Job job) {
  job.clear_spec();
  job.clear_stderr_tail();
  return trials_.try_emplace(job.id(), "trial").first->second.event(job);
}

}  // namespace prefixmem::web
