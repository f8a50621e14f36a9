// A worker as placement sees it: who holds its slots, and for whom it is kept.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// What a gang may hold that runs on fewer ranks too.
struct Elastic {
  int ranks = 0;  // that it has, on all its workers
  int least = 0, most = 0;
  Device device = Device::kAuto;
  bool same_make = false, same_slots = false;  // of Job
  Memory memory = {};
};

// Attempts that hold slots together.
struct Gang {
  std::string id;
  std::string tenant = {};
  std::vector<std::string> job_ids = {};  // sorted
  int ranks = 0;                          // on this worker
  int slots = 0;                          // that these hold
  Memory memory = {};                     // of all its jobs
  int64_t priority = 0;
  MonotonicTime began = {};
  std::optional<MonotonicTime> end_by =
      {};                 // the latest end, by time limits; none: it has no bound
  bool leaving = false;   // each of its attempts was asked to stop
  bool spread = false;    // on other workers too
  std::string bank = {};  // empty where it is spread: nobody joins it
  std::optional<Elastic> elastic = {};
  std::optional<size_t> start = {};  // of a placement's starts, where it starts in this one
};

// Of one worker, by id; null: there is none.
using RunningGangs = std::shared_ptr<const std::vector<Gang>>;

// What runs on one worker and what a placement adds. Copied only where a placement changes it.
class Gangs {
 public:
  Gangs() = default;
  explicit Gangs(RunningGangs running) : running_(std::move(running)) {}

  auto begin() const { return all().begin(); }
  auto end() const { return all().end(); }
  size_t size() const { return all().size(); }
  const Gang& operator[](size_t index) const { return all()[index]; }
  // What was had of them before is no longer valid.
  std::vector<Gang>& change();

 private:
  const std::vector<Gang>& all() const;

  RunningGangs running_;
  std::optional<std::vector<Gang>> changed_;
};

struct Room {
  const Worker* worker = nullptr;
  int free = 0;  // slots; below 0 where the worker has shrunk
  Gangs gangs = {};

  // The first waiting job that could run here later, when by time limits it starts here or
  // elsewhere, and how many slots it will not need.
  const Job* keeper = nullptr;
  std::optional<MonotonicTime> keeper_starts_by = {};
  int spare = 0;
};

// None: it has as many ranks as it wants, always. `job.ranks`: those that it has.
std::optional<Elastic> elastic_of(const Job& job);

// Ranks of the attempt's gang on that worker.
int ranks_on(const Attempt& attempt, const std::string& worker_id);

// Of the attempts that have ranks on that worker, in any order.
RunningGangs gangs_of(const std::vector<Attempt>& attempts, const Worker& worker);

// By their workers' ids, without lost ones. `workers` outlive them.
std::vector<Room> rooms_of(const std::vector<Worker>& workers,
                           const std::function<RunningGangs(const Worker&)>& gangs_on);
std::vector<Room> rooms_of(const State& state);

// Workers that may hold a gang together.
using Pool = std::vector<const Room*>;
// Those with GPUs, and where the job needs none those without; of a job that is to compute on the
// CPU all together. A pool is never empty.
std::vector<Pool> pools_of(const std::vector<Room>& rooms, const Job& job);
int slots_of(const Pool& pool);                  // also those that are taken
int ranks_in(const Pool& pool, const Job& job);  // of it, that the pool has slots for

bool takes_work(const Worker& worker);
bool has_device(const Worker& worker, Device wanted);
bool has_device(const Room& room, Device wanted);
bool has_device(const Room& room, const Job& job);
bool could_ever_hold(const Room& room, const Job& job);

// Once all gangs that are leaving have left.
int free_once_left(const Room& room);

// When slots for all ranks of the job are free in the pool at the latest, by time limits; none: no
// limit says.
std::optional<MonotonicTime> free_by(const Pool& pool, const Job& job, MonotonicTime now);

// Slots that the job, which waits, will not need here: in whatever order gangs end, it starts no
// later where others hold so many. Of one that needs other workers too: none.
int spare_slots(const Room& room, const Job& job);

}  // namespace prefixmem::scheduler
