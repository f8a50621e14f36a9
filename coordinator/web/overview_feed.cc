#include "coordinator/web/overview_feed.h"

#include "common/proto/sweep_state.h"

namespace prefixmem::web {
namespace {

constexpr int kUnfinishedShown = 200;
constexpr int kEndedShown = 30;
constexpr int kSweepsShown = 20;

store::JobFilter ended() {
  return {.states = {v1::JOB_STATE_SUCCEEDED, v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED}};
}

}  // namespace

Result<News> OverviewFeed::news() {
  News news;
  PM_ASSIGN(news.text, workers());
  PM_ASSIGN(const std::string counted, counts());
  store::Reader& reader = coordinator_.reader();
  PM_ASSIGN(const std::string open_jobs,
            jobs(unfinished_, reader.newest_unfinished(kUnfinishedShown)));
  PM_ASSIGN(const std::string ended_jobs, jobs(ended_, reader.list(ended(), kEndedShown)));
  PM_ASSIGN(const std::string newest_sweeps, sweeps());
  news.text += counted + open_jobs + ended_jobs + newest_sweeps;
  return news;
}

Result<std::string> OverviewFeed::workers() {
  v1::ListWorkersResponse listed;
  for (v1::Worker& worker : coordinator_.workers()) *listed.add_workers() = std::move(worker);
  return workers_.event(listed);
}

Result<std::string> OverviewFeed::counts() {
  PM_ASSIGN(const auto by_state, coordinator_.reader().count_by_state());
  v1::TrialCounts counts;
  for (const auto& [state, count] : by_state) add_to(counts, state, static_cast<int>(count));
  return counts_.event(counts);
}

Result<std::string> OverviewFeed::jobs(Told& told, Result<store::JobPage> read) {
  PM_ASSIGN(auto page, std::move(read));
  v1::ListJobsResponse listed;
  for (v1::Job& job : page.jobs) {
    job.clear_spec();
    *listed.add_jobs() = std::move(job);
  }
  return told.event(listed);
}

Result<std::string> OverviewFeed::sweeps() {
  PM_ASSIGN(auto page, coordinator_.reader().sweeps(0, kSweepsShown));
  v1::ListSweepsResponse listed;
  for (v1::Sweep& sweep : page.sweeps) {
    sweep.clear_spec();
    *listed.add_sweeps() = std::move(sweep);
  }
  return sweeps_.event(listed);
}

}  // namespace prefixmem::web
