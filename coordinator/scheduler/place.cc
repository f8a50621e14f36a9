#include "coordinator/scheduler/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "coordinator/scheduler/banks.h"
#include "coordinator/scheduler/preempt.h"
#include "coordinator/scheduler/reasons.h"
#include "coordinator/scheduler/room.h"

namespace prefixmem::scheduler {
namespace {

constexpr const char* kBehind = "waits behind earlier jobs";

std::vector<const Job*> in_turn(const std::vector<Job>& queue) {
  std::vector<const Job*> jobs;
  jobs.reserve(queue.size());
  for (const Job& job : queue) jobs.push_back(&job);
  std::sort(jobs.begin(), jobs.end(), [](const Job* a, const Job* b) {
    return std::tuple(-a->priority, a->order) < std::tuple(-b->priority, b->order);
  });
  return jobs;
}

// When its slots are free again if it starts now; none: it has no time limit.
std::optional<MonotonicTime> end_by(const Job& job, MonotonicTime now) {
  if (job.time.text.empty()) return std::nullopt;
  return now + std::max(job.time.left, Millis(0)) + kLeaveGrace;
}

// A start that the keeper of its worker allows because it ends in time.
bool ends_in_time(const Room& room, const Job& job, MonotonicTime now) {
  const auto end = end_by(job, now);
  return end && room.keeper_starts_by && *end <= *room.keeper_starts_by;
}

// Slots of the room that the job may take now.
int allowance(const Room& room, const Job& job, MonotonicTime now) {
  if (!could_ever_hold(room, job) || !takes_work(*room.worker) || room.free < job.ranks) return 0;
  if (room.keeper == nullptr || ends_in_time(room, job, now)) return room.free;
  return std::min(room.free, room.spare);
}

auto preference(const Room& room, const Job& job) {
  const Device wanted = job.device == Device::kAuto ? Device::kCuda : job.device;
  return std::tuple(room.worker->device != wanted, room.free, room.worker->id);
}

std::string start_reason(int ranks, size_t jobs, const Room& room) {
  std::string reason = fmt::format("{} on worker {}", ranks_text(ranks), room.worker->id);
  if (jobs > 1) reason += fmt::format(", shared by {} jobs", jobs);
  if (room.keeper != nullptr) {
    reason += fmt::format(", ahead of {}, which it does not delay", room.keeper->id);
  }
  return reason;
}

Start start_of(const std::vector<const Job*>& members, const Room& room) {
  Start start{.job_ids = {}, .worker_id = room.worker->id, .gang = {}, .company = {}, .reason = {}};
  for (const Job* member : members) start.job_ids.push_back(member->id);
  start.reason = start_reason(members.front()->ranks, members.size(), room);
  return start;
}

Gang gang_of(const std::vector<const Job*>& members, MonotonicTime now) {
  const Job& first = *members.front();
  Gang gang{.id = first.id, .ranks = first.ranks, .priority = first.priority, .began = now};
  gang.bank = first.bank;
  gang.end_by = end_by(first, now);
  for (const Job* member : members) {
    gang.job_ids.push_back(member->id);
    const auto end = end_by(*member, now);
    gang.end_by = end && gang.end_by ? std::max(end, gang.end_by) : std::nullopt;
  }
  return gang;
}

// One placement from its state to its decisions.
class Placing {
 public:
  Placing(MonotonicTime now, const State& state, const Config& config)
      : now_(now),
        rooms_(rooms_of(state)),
        jobs_(in_turn(state.queue)),
        banks_(jobs_, config.bank_limit) {}

  Placement run() {
    for (const Job* job : jobs_) {
      if (banks_.has_started(*job)) continue;
      if (const std::string* reason = reason_of_those_before(*job)) {
        placement_.waits.push_back({job->id, *reason});
      } else {
        place(*job);
      }
    }
    return std::move(placement_);
  }

 private:
  void place(const Job& job) {
    if (Room* room = best_room(job)) {
      start(job, *room);
    } else if (const Company company = company_for(job); company.gang != nullptr) {
      join(job, company);
    } else {
      placement_.waits.push_back({job.id, wait_in_turn(job)});
    }
  }

  // Jobs that differ in nothing that counts here but their turn.
  using Kind = std::pair<int, Device>;
  static std::optional<Kind> kind_of(const Job& job) {
    if (!job.bank.empty() || !job.time.text.empty()) return std::nullopt;
    return Kind(job.ranks, job.device);
  }

  // Why a job waits of which one of its kind waits already: within a placement room only becomes
  // less, and the one before has kept what there was. None: the job has to be looked at. Without
  // this a long queue would cost its length times the number of workers.
  const std::string* reason_of_those_before(const Job& job) const {
    const auto kind = kind_of(job);
    const auto found = kind ? behind_.find(*kind) : behind_.end();
    return found == behind_.end() ? nullptr : &found->second;
  }

  bool holds_now(const Room& room, const Job& job) const {
    return allowance(room, job, now_) >= job.ranks;
  }

  Room* best_room(const Job& job) {
    Room* best = nullptr;
    for (Room& room : rooms_) {
      if (!holds_now(room, job)) continue;
      if (best == nullptr || preference(room, job) < preference(*best, job)) best = &room;
    }
    return best;
  }

  // How many gangs of such a job could start now on workers like the best one.
  int places_like(const Room& best, const Job& job) const {
    int places = 0;
    for (const Room& room : rooms_) {
      if (room.worker->device != best.worker->device) continue;
      places += allowance(room, job, now_) / job.ranks;
    }
    return places;
  }

  void start(const Job& first, Room& room) {
    const bool bound = room.keeper != nullptr && ends_in_time(room, first, now_);
    const auto members = banks_.start(first, places_like(room, first), [&](const Job& member) {
      return !bound || ends_in_time(room, member, now_);
    });
    placement_.starts.push_back(start_of(members, room));
    room.free -= first.ranks;
    room.gangs.push_back(gang_of(members, now_));
    room.gangs.back().start = placement_.starts.size() - 1;
    if (room.keeper != nullptr) room.spare = spare_slots(room, room.keeper->ranks);
  }

  struct Company {
    Room* room = nullptr;
    Gang* gang = nullptr;
  };

  // The fullest gang of the job's bank with a place left, on a worker that no job ahead waits for:
  // the gang would keep it waiting. One that runs takes in no job that resumes: its checkpoint has
  // to be fetched first.
  Company company_for(const Job& job) {
    Company best;
    if (job.bank.empty()) return best;
    for (Room& room : rooms_) {
      if (room.keeper != nullptr || !takes_work(*room.worker)) continue;
      for (Gang& gang : room.gangs) {
        const bool open = gang.bank == job.bank && !gang.leaving &&
                          gang.job_ids.size() < banks_.limit_of(job) &&
                          (gang.start || !job.resumes);
        if (!open) continue;
        if (best.gang == nullptr || gang.job_ids.size() > best.gang->job_ids.size()) {
          best = {&room, &gang};
        }
      }
    }
    return best;
  }

  void join(const Job& job, const Company& company) {
    const auto& [room, gang] = company;
    banks_.joined(job);
    if (gang->start) {
      Start& start = placement_.starts[*gang->start];
      start.job_ids.push_back(job.id);
      start.reason = start_reason(job.ranks, start.job_ids.size(), *room);
    } else {
      placement_.starts.push_back(
          {.job_ids = {job.id},
           .worker_id = room->worker->id,
           .gang = gang->id,
           .company = gang->job_ids,
           .reason = fmt::format("{} on worker {}, joins a gang of {}", ranks_text(job.ranks),
                                 room->worker->id, gang->job_ids.size())});
    }
    gang->job_ids.insert(std::lower_bound(gang->job_ids.begin(), gang->job_ids.end(), job.id),
                         job.id);
    const auto end = end_by(job, now_);
    gang->end_by = end && gang->end_by ? std::max(end, gang->end_by) : std::nullopt;
  }

  // Keeps the workers that the job could run on later, and says what it waits for.
  std::string wait_in_turn(const Job& job) {
    std::vector<Room*> own;
    bool possible = false;
    for (Room& room : rooms_) {
      if (!could_ever_hold(room, job)) continue;
      possible = true;
      if (room.keeper == nullptr) own.push_back(&room);
    }
    std::string reason_behind = possible ? kBehind : never_fits(rooms_, job);
    if (const auto kind = kind_of(job)) behind_.emplace(*kind, reason_behind);
    if (own.empty()) return reason_behind;
    if (auto reason = none_takes_work(rooms_, job)) {
      keep(job, own, std::nullopt);
      return *std::move(reason);
    }
    // What is left by others may be free at any moment, so that no limit is short enough.
    auto reason = make_room(job, own);
    keep(job, own, reason ? std::nullopt : starts_by(job, own));
    return reason ? *std::move(reason)
                  : fmt::format("waits for {} of one worker to be free", slots_text(job.ranks));
  }

  static void keep(const Job& job, const std::vector<Room*>& own,
                   std::optional<MonotonicTime> starts_by) {
    for (Room* room : own) {
      room->keeper = &job;
      room->keeper_starts_by = starts_by;
      room->spare = spare_slots(*room, job.ranks);
    }
  }

  // The latest start by time limits; none: they do not say.
  std::optional<MonotonicTime> starts_by(const Job& job, const std::vector<Room*>& own) const {
    std::optional<MonotonicTime> soonest;
    for (const Room* room : own) {
      if (!takes_work(*room->worker)) continue;
      const auto free = free_by(*room, job.ranks, now_);
      if (free) soonest = std::min(*free, soonest.value_or(*free));
    }
    return soonest;
  }

  // Where the job fits once others have left, who are asked to unless they are leaving already: how
  // it comes to start. None: nowhere.
  std::optional<std::string> make_room(const Job& job, const std::vector<Room*>& own) {
    for (const Room* room : own) {
      if (!takes_work(*room->worker) || free_once_left(*room) < job.ranks) continue;
      return fmt::format("waits for {} of worker {}, which is being left", slots_text(job.ranks),
                         room->worker->id);
    }
    const Victims victims = choose_victims(rooms_, job);
    if (victims.room == nullptr) return std::nullopt;
    return evict(job, victims);
  }

  std::string evict(const Job& job, const Victims& victims) {
    const std::string& worker_id = victims.room->worker->id;
    std::vector<std::string> ids;
    for (const Gang* gang : victims.gangs) {
      ids.insert(ids.end(), gang->job_ids.begin(), gang->job_ids.end());
      placement_.leaves.push_back(
          {gang->job_ids, worker_id, job.id,
           fmt::format("preempted by {} of priority {}", job.id, job.priority)});
    }
    return fmt::format("{} of lower priority {} asked to leave worker {}", some_of(ids),
                       ids.size() == 1 ? "is" : "are", worker_id);
  }

  const MonotonicTime now_;
  std::vector<Room> rooms_;
  const std::vector<const Job*> jobs_;
  Banks banks_;
  std::map<Kind, std::string> behind_;  // why further jobs of a kind wait
  Placement placement_;
};

}  // namespace

Placement place(MonotonicTime now, const State& state, const Config& config) {
  return Placing(now, state, config).run();
}

}  // namespace prefixmem::scheduler
