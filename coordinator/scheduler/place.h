// Which waiting job starts where, why each of the others waits, and who makes room for whom.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/scheduler/queue.h"
#include "coordinator/scheduler/room.h"
#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// One gang, or a job that joins one.
struct Start {
  std::vector<std::string> job_ids;  // one, or those of a bank
  std::string worker_id;
  int ranks = 0;                          // of the gang, on all its workers
  int slots = 0;                          // that it holds, where it is on one
  std::vector<Seat> seats = {};           // where one worker is not enough, `worker_id` first
  std::string gang = {};                  // that runs there, which they join; empty: a new one
  std::vector<std::string> company = {};  // who is in it already
  std::string reason = {};
};

struct Wait {
  std::string job_id;
  std::string reason;
};

// Why the jobs of a kind wait that come after its first which waits.
struct WaitBehind {
  Kind kind;
  std::string job_id;  // that first one, which is among the waits
  std::string reason;
};

// A gang that is asked to write a checkpoint and go back into the queue.
struct Leave {
  std::vector<std::string> job_ids;
  std::string worker_id;  // that is to be left; empty: several
  std::string for_job;    // which takes its slots; empty: itself, to come back with more ranks
  std::string reason;
};

struct Placement {
  std::vector<Start> starts;
  std::vector<Wait> waits;
  std::vector<WaitBehind> behind;
  std::vector<Leave> leaves;
  // Ids of the jobs whose turn has come with this one, in that order: Job::turn is to be set.
  std::vector<std::string> turns;
  // When a gang could grow that is too young now; none: nobody waits for that.
  std::optional<MonotonicTime> grows_at = {};
};

// Jobs are looked at by priority; then those whose turn has come, by it; then by the shares of
// their tenants, those of one tenant in the order submitted (turns.h). A job that would take its
// tenant beyond its quota of slots waits, and has those of its tenant behind it wait for the quota
// too, but keeps no worker. Any other starts when all its ranks fit on one connected worker of the
// right device that is neither draining nor cordoned nor unhealthy, and never partly. Among workers
// that fit, the one to be avoided comes last, and the device wanted first (auto: cuda; cpu: cpu),
// then the one with the fewest slots left. Only a job that is too big for every worker that is here
// starts on several (pools_of), on as few hosts as can hold it now, the emptiest first; it has a
// gang of its own.
//
// One that does not fit now keeps every worker that it could ever run on and that no job before it
// keeps, and its slots of the quota where one of them takes work. One that needs several workers
// spares none of what it keeps; one for which all workers together, or those that take work, are
// too few keeps none. A job behind it starts on such a worker only where it does not delay it: it
// ends, by its time limit, before the one that keeps the worker starts by the limits of what runs,
// or it takes slots that that one will not need, in whatever order gangs end. A job's turn has come
// once it has kept workers or started, or once it was the first of its priority to find that jobs
// of its tenant which came after it keep all that it could, so that none of them is passed for
// ever. Of those that ask for the same as one of their tenant that waits, each waits too, without
// keeping anything.
//
// One that keeps workers on which gangs of strictly lower priority hold what it lacks has the
// fewest of them leave (preempt.h), unless what is leaving already makes room enough.
//
// A job that runs on fewer ranks too waits for `least`, and starts with as many as there are then
// (elastic.h). What nobody waits for at the end lets gangs grow.
//
// A job that starts takes those with its `bank` into its gang, in turn: an even share of what the
// free places of that device would get, and no more than the limits allow. They take nothing from
// the jobs that they pass, for which the gang holds the slots of one job. One that no worker has
// room for joins a gang of its `bank` that runs, unless a job further ahead waits for that worker:
// the gang would keep it waiting. Pure.
//
// Costs the number of rooms, of tenants and of kinds, and for each start the logarithm of the
// queue.
Placement place(MonotonicTime now, std::vector<Room> rooms, const std::vector<Tenant>& tenants,
                const Queue& queue, const Config& config);
// The same of plain values, with all waits spelt out, in turn, and none behind.
Placement place(MonotonicTime now, const State& state, const Config& config);

}  // namespace prefixmem::scheduler
