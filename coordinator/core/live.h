// What the coordinator holds in memory: the jobs that have not ended and the workers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/core/worker_link.h"
#include "coordinator/scheduler/fence.h"
#include "coordinator/scheduler/state.h"
#include "coordinator/store/records.h"
#include "coordinator/sweep/plan.h"
#include "coordinator/sweep/record.h"

namespace prefixmem {

struct LiveJob {
  store::JobRecord record;
  std::optional<store::AttemptRecord> attempt;  // while starting or running
  MonotonicTime began = {};                     // of that attempt
  std::set<std::string> after = {};             // ids of jobs that are to succeed first
};

struct LiveWorker {
  v1::Worker info;                   // without what changes by the second
  std::shared_ptr<WorkerLink> link;  // null while it is not connected
  MonotonicTime last_heard{};
  bool draining = false;  // it shuts down; until it registers again

  bool lost() const { return info.state() == "lost"; }
};

struct LiveSweep {
  v1::Sweep shown;  // without the counts
  // Of one that searches; a grid has nothing to decide.
  JobSpec spec = {};
  sweep::SweepPlan plan = {};
  sweep::Record record = {};  // of all its trials, ended ones too
  bool changed = true;        // since `advance` last looked at it

  bool is_search() const { return !plan.searches.empty(); }
};

struct Live {
  std::map<std::string, LiveJob> jobs;        // by id
  std::map<std::string, LiveSweep> sweeps;    // by id; those that have not ended
  std::map<std::string, LiveWorker> workers;  // by id
  MonotonicTime grace_end{};
  // When the time limit of a placed job is used up, of those that have one; by id.
  std::map<std::string, MonotonicTime> deadlines;
  // By the id of a job that has not ended: those that wait for it.
  std::map<std::string, std::vector<std::string>> dependents;

  // The job that `id` is the current attempt of, on that worker; null where there is none.
  LiveJob* current(const std::string& worker_id, const v1::AttemptId& id);
};

scheduler::TimeLimit time_limit_of(const store::JobRecord& record);
scheduler::Attempt attempt_of(const LiveJob& job);  // of a placed one
scheduler::AttemptKey key_of(const v1::AttemptId& id);
v1::AttemptId id_of(const scheduler::AttemptKey& key);
v1::AttemptId id_of(const store::AttemptRecord& attempt);

// Others may train in its gang.
bool may_share(const store::JobRecord& job, const scheduler::Config& config);

// The scheduler's view, in which a job waits for its turn only once those that it comes after have
// succeeded.
scheduler::State state_of(const Live& live);
// Without its jobs: what expired_leases looks at.
scheduler::State workers_of(const Live& live);

// The API's view.
v1::Worker describe(const LiveWorker& worker, const Live& live, MonotonicTime now);

}  // namespace prefixmem
