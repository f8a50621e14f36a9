#include "client/commands/followed_sweeps.h"

#include <algorithm>
#include <iterator>

#include "common/proto/sweep_state.h"

namespace prefixmem::client {
namespace {

constexpr int kPageSize = 100;

}  // namespace

FollowedSweeps::FollowedSweeps(Server& server, const std::vector<std::string>& ids,
                               const std::vector<v1::Job>& known)
    : server_(server) {
  for (const std::string& id : ids) sweeps_[id];
  for (const v1::Job& job : known) known_.insert(job.id());
}

bool FollowedSweeps::goes_on(const std::string& id) const {
  const auto found = sweeps_.find(id);
  return found != sweeps_.end() && found->second.goes_on;
}

bool FollowedSweeps::any_goes_on() const {
  return std::any_of(sweeps_.begin(), sweeps_.end(),
                     [](const auto& one) { return one.second.goes_on; });
}

Result<std::vector<v1::Job>> FollowedSweeps::new_trials() {
  std::vector<v1::Job> fresh;
  for (auto& [id, followed] : sweeps_) {
    if (!followed.goes_on) continue;
    auto sweep = server_.sweep(id);
    // Trials of the oldest sweeps are jobs that share a name, and all there are.
    if (!sweep.ok() && sweep.status().code() != Code::kNotFound) return sweep.status();
    PM_ASSIGN(const auto trials, begun_since(id));  // after its state, so that none is missed
    fresh.insert(fresh.end(), trials.begin(), trials.end());
    followed.goes_on = sweep.ok() && sweep->state() == v1::SWEEP_STATE_RUNNING;
    if (sweep.ok()) followed.sweep = *std::move(sweep);
  }
  for (const v1::Job& trial : fresh) known_.insert(trial.id());
  return fresh;
}

// The API lists the newest first.
Result<std::vector<v1::Job>> FollowedSweeps::begun_since(const std::string& id) {
  v1::ListJobsRequest request;
  request.set_sweep_id(id);
  request.set_page_size(kPageSize);
  std::vector<v1::Job> fresh;
  while (true) {
    PM_ASSIGN(v1::ListJobsResponse page, server_.list(request));
    bool all_new = true;
    for (v1::Job& job : *page.mutable_jobs()) {
      all_new = !known_.contains(job.id());
      if (!all_new) break;
      fresh.push_back(std::move(job));
    }
    if (!all_new || page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  std::reverse(fresh.begin(), fresh.end());
  return fresh;
}

std::vector<v1::Sweep> FollowedSweeps::not_finished() const {
  std::vector<v1::Sweep> found;
  for (const auto& [id, followed] : sweeps_) {
    const v1::SweepState state = followed.sweep.state();
    if (state == v1::SWEEP_STATE_FAILED || state == v1::SWEEP_STATE_CANCELLED) {
      found.push_back(followed.sweep);
    }
  }
  return found;
}

bool FollowedSweeps::was_stopped_by_search(const JobView& trial) const {
  return sweeps_.contains(trial.sweep_id) && trial.state == v1::JOB_STATE_CANCELLED &&
         trial.reason.starts_with(kStoppedBySweep);
}

}  // namespace prefixmem::client
