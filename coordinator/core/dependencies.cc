// What jobs wait for besides slots: others that must succeed first.
#include <fmt/format.h>

#include <map>

#include "common/proto/job_state.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/find_job.h"
#include "coordinator/scheduler/reasons.h"

namespace prefixmem {
namespace {

std::string end_of(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_CANCELLED ? "was cancelled" : "has failed";
}

bool ended_badly(const v1::Job& job) {
  return has_ended(job.state()) && job.state() != v1::JOB_STATE_SUCCEEDED;
}

std::string wait_of(const LiveJob& job, const Live& live) {
  std::vector<std::string> names;
  for (const std::string& id : job.after) {
    const auto found = live.jobs.find(id);  // not there: it has ended, which is settled next
    names.push_back(found == live.jobs.end() ? id : name_of(found->second.record.job));
  }
  return fmt::format("waits for {} to succeed", scheduler::some_of(std::move(names)));
}

}  // namespace

// The id; a job that can never be waited for is refused.
Result<std::string> Coordinator::name_dependency(const std::string& id_or_name) {
  const auto found = find_job(reader(), id_or_name);
  PM_TRY(found.status().with_context("after"));
  if (leaving_.contains(found->id())) {
    return not_found(fmt::format("after: job {} is being removed", name_of(*found)));
  }
  if (!ended_badly(*found)) return found->id();
  return failed_precondition(fmt::format("after: job {} {}", name_of(*found), end_of(*found)));
}

// Puts ids for names in jobs that are submitted, and in the sweep that makes more of them.
Status Coordinator::name_dependencies(std::vector<LiveJob>& jobs, std::optional<LiveSweep>& sweep) {
  std::vector<v1::JobSpec*> specs;
  for (LiveJob& job : jobs) specs.push_back(job.record.job.mutable_spec());
  if (sweep) specs.push_back(sweep->shown.mutable_spec());
  std::map<std::string, std::string> ids;  // by what was given
  for (v1::JobSpec* spec : specs) {
    for (std::string& name : *spec->mutable_after()) {
      if (!ids.contains(name)) {
        PM_ASSIGN(ids[name], name_dependency(name));
      }
      name = ids.at(name);
    }
  }
  if (sweep) sweep->spec.after.assign(specs.back()->after().begin(), specs.back()->after().end());
  return {};
}

// Notes what queued jobs still wait for. What has ended badly since it was named cancels them when
// dependents are next settled.
Status Coordinator::await_dependencies(const std::vector<LiveJob*>& jobs) {
  std::map<std::string, bool> badly;  // by id of what has ended; the trials of a grid share theirs
  for (LiveJob* job : jobs) {
    for (const std::string& id : job->record.job.spec().after()) {
      const auto live = live_.jobs.find(id);
      if (live != live_.jobs.end() && !has_ended(live->second.record.job.state())) {
        job->after.insert(id);
      } else {
        if (!badly.contains(id)) {
          PM_ASSIGN(badly[id], note_ended(id));
        }
        if (!badly.at(id)) continue;
      }
      live_.dependents[id].push_back(job->record.job.id());
    }
  }
  return {};
}

// Whether it ended badly, which is then to be settled.
Result<bool> Coordinator::note_ended(const std::string& id) {
  const auto live = live_.jobs.find(id);  // as it is, before the store knows
  v1::Job ended;
  if (live != live_.jobs.end()) {
    ended = live->second.record.job;
  } else {
    PM_ASSIGN(ended, find_job(reader(), id));
  }
  const bool badly = ended_badly(ended);
  if (badly) to_settle_.push_back(std::move(ended));
  return badly;
}

void Coordinator::settle_dependents() {
  for (size_t next = 0; next < to_settle_.size(); ++next) {  // those it cancels come behind
    const v1::Job ended = to_settle_[next];
    const auto waiting = live_.dependents.extract(ended.id());
    if (waiting.empty()) continue;
    for (const std::string& id : waiting.mapped()) {
      const auto found = live_.jobs.find(id);
      if (found == live_.jobs.end() || has_ended(found->second.record.job.state())) continue;
      settle(found->second, ended);
    }
  }
  to_settle_.clear();
}

void Coordinator::settle(LiveJob& dependent, const v1::Job& ended) {
  if (ended_badly(ended)) {
    const std::string reason =
        fmt::format("{}, which it comes after, {}", name_of(ended), end_of(ended));
    return end_job(dependent, {scheduler::Outcome::kCancelled, Code::kOk, reason}, "");
  }
  dependent.after.erase(ended.id());
  live_.moved.insert(dependent.record.job.id());
  tell_dependencies(dependent);
}

void Coordinator::tell_dependencies(LiveJob& job) {
  if (!job.after.empty()) move_to(job, v1::JOB_STATE_QUEUED, wait_of(job, live_));
}

}  // namespace prefixmem
