// What the coordinator holds in memory: the jobs that have not ended and the workers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/core/model_configs.h"
#include "coordinator/core/worker_link.h"
#include "coordinator/scheduler/fence.h"
#include "coordinator/scheduler/queue.h"
#include "coordinator/scheduler/room.h"
#include "coordinator/scheduler/state.h"
#include "coordinator/store/records.h"
#include "coordinator/sweep/plan.h"
#include "coordinator/sweep/record.h"

namespace prefixmem {

struct LiveJob {
  store::JobRecord record;
  std::optional<store::AttemptRecord> attempt;  // while starting or running
  MonotonicTime began = {};                     // of that attempt
  // Workers that are members of its gang and are lost to it, and why: its head is to hear of it.
  std::map<std::string, std::string> gone = {};
  std::set<std::string> after = {};  // ids of jobs that are to succeed first
  int unwritten_files = 0;  // listed, but not in the store yet: it is not to resume without them
  int64_t turn = 0;         // scheduler::Job::turn; a restart hands them out anew
  std::string avoid = {};   // scheduler::Job::avoid, which a restart forgets
};

struct LiveTenant {
  store::TenantRecord record;
  int slots = 0;   // that its jobs hold since jobs were last placed
  int queued = 0;  // jobs that wait, those that come after others too
};

struct LiveWorker {
  v1::Worker info;                   // without what changes by the second
  std::shared_ptr<WorkerLink> link;  // null while it is not connected
  MonotonicTime last_heard{};
  bool draining = false;    // it shuts down; until it registers again
  MonotonicTime settled{};  // since when nothing has started or ended there
  std::string make = {};    // models of its devices

  bool lost() const { return info.state() == "lost"; }
};

struct LiveSweep {
  v1::Sweep shown;  // without the counts
  // Of one that searches; a grid has nothing to decide.
  JobSpec spec = {};
  sweep::SweepPlan plan = {};
  sweep::Record record = {};           // of all its trials, ended ones too
  ToldModels told = {};                // with its submission
  std::vector<std::string> jobs = {};  // ids of its trials, by number
  bool changed = true;                 // since `advance` last looked at it

  bool is_search() const { return !plan.searches.empty(); }
};

// What those of a kind are told that wait behind others of it.
struct Behind {
  std::string first = {};  // the job that they wait behind, which is told more
  std::string reason = {};
  std::set<std::string> untold = {};  // ids
};

struct Live {
  std::map<std::string, LiveJob> jobs;        // by id
  std::map<std::string, LiveSweep> sweeps;    // by id; those that have not ended
  std::map<std::string, LiveWorker> workers;  // by id
  std::map<std::string, LiveTenant> tenants;  // by name
  MonotonicTime usage_time{};                 // up to which their recent_slots goes
  int64_t last_turn = 0;                      // of the job whose turn came last
  MonotonicTime grace_end{};
  std::set<std::string> released;  // allocations of a batch system that are about to end
  // When the time limit of a placed job is used up, of those that have one; by id.
  std::map<std::string, MonotonicTime> deadlines;
  // By the id of a job that has not ended: those that wait for it.
  std::map<std::string, std::vector<std::string>> dependents;

  // By key: submissions that are not in the store yet.
  std::map<std::string, store::Submission> unwritten_submissions;
  int64_t last_seq = 0;  // of the job submitted last

  // What a placement looks at, kept from change to change.
  scheduler::Queue queue;       // jobs that wait for slots, but for those that have moved
  std::set<std::string> moved;  // that may have come into the queue or left it, or changed there
  std::map<std::string, std::set<std::string>> placed;   // jobs by worker
  std::map<std::string, scheduler::RunningGangs> gangs;  // by worker; made when asked for
  std::map<scheduler::Kind, Behind> behind;

  // Begins with neither quota nor use where it is not there.
  LiveTenant& tenant(const std::string& name);
  // The job that `id` is the current attempt of; null where there is none.
  LiveJob* current(const v1::AttemptId& id);
  // On that worker as the one that speaks for it.
  LiveJob* current(const std::string& worker_id, const v1::AttemptId& id);
  // The same of any worker that ranks of it are on.
  LiveJob* with_part_on(const std::string& worker_id, const v1::AttemptId& id);
  void place(LiveJob& job, store::AttemptRecord attempt);
  store::AttemptRecord displace(LiveJob& job);
  // Ids of the jobs that have ranks on a worker, in their order.
  const std::set<std::string>& on(const std::string& worker_id) const;
  const scheduler::RunningGangs& gangs_on(const std::string& worker_id);
  // As the scheduler sees it; one that is not there has no slots.
  scheduler::Worker worker(const std::string& id) const;
  // Something of the job's gang has changed that gangs_on() tells.
  void gangs_changed(const LiveJob& job);
  // Takes no more work: it shuts down, or its allocation is about to end.
  bool leaves(const LiveWorker& worker) const;
  // Brings the queue up to date. Whether a placement may come to another end by it.
  bool index_moved();
};

// Workers that ranks of a placed job are on, the one that speaks for it first, with how many.
std::vector<scheduler::Seat> seats_of(const LiveJob& job);
scheduler::TimeLimit time_limit_of(const store::JobRecord& record);
scheduler::Attempt attempt_of(const LiveJob& job);  // of a placed one
scheduler::AttemptKey key_of(const v1::AttemptId& id);
v1::AttemptId id_of(const scheduler::AttemptKey& key);
v1::AttemptId id_of(const store::AttemptRecord& attempt);

Device device_of(const std::string& name);
scheduler::Memory memory_of(const v1::PlacedMemory& memory);

// Others may train in its gang.
bool may_share(const store::JobRecord& job, const scheduler::Config& config);

// It waits for slots alone: those that it comes after have succeeded.
bool waits_for_slots(const LiveJob& job);
// As the scheduler sees a waiting job.
scheduler::Job waiting(const LiveJob& job);
// Without jobs: what expired_leases looks at.
scheduler::State workers_of(const Live& live);
std::vector<scheduler::Tenant> tenants_of(const Live& live);
// `workers` outlive them.
std::vector<scheduler::Room> rooms_of(const std::vector<scheduler::Worker>& workers, Live& live);

// The API's view.
v1::Worker describe(const LiveWorker& worker, Live& live, MonotonicTime now);

}  // namespace prefixmem
