#include "coordinator/scheduler/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "coordinator/scheduler/banks.h"
#include "coordinator/scheduler/elastic.h"
#include "coordinator/scheduler/memory.h"
#include "coordinator/scheduler/preempt.h"
#include "coordinator/scheduler/reasons.h"
#include "coordinator/scheduler/shares.h"
#include "coordinator/scheduler/turns.h"

namespace prefixmem::scheduler {
namespace {

constexpr const char* kBehind = "waits behind earlier jobs";

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
  if (!has_device(room, job) || !takes_work(*room.worker)) return 0;
  if (room.free < slots_for(*room.worker, job)) return 0;
  if (room.keeper == nullptr || ends_in_time(room, job, now)) return room.free;
  return std::min(room.free, room.spare);
}

auto preference(const Room& room, const Job& job) {
  const Device wanted = job.device == Device::kAuto ? Device::kCuda : job.device;
  return std::tuple(room.worker->id == job.avoid, room.worker->device != wanted, room.free,
                    room.worker->id);
}

std::string ahead_of(const Job& keeper) {
  return fmt::format(", ahead of {}, which it does not delay", keeper.id);
}

// What the job waits for on one of those workers.
std::string slots_of_one(const std::vector<Room*>& rooms, const Job& job) {
  int fewest = kNever;
  for (const Room* room : rooms) fewest = std::min(fewest, slots_for(*room->worker, job));
  std::string text = slots_text(fewest) + " of one worker to be free";
  if (fewest == job.ranks) return text;
  return fmt::format("{}: it needs {} of memory", text,
                     bytes_text(host_bytes(job.memory, job.ranks)));
}

// The same on several.
std::string parts_of_several(const Pool& pool, const Job& job) {
  Job one = job;
  one.ranks = 1;
  const bool counts_memory = std::any_of(pool.begin(), pool.end(), [&](const Room* room) {
    return slots_for(*room->worker, one) > 1;
  });
  if (!counts_memory) return slots_text(job.ranks) + " of several workers";
  return fmt::format("slots of several workers for {} of {} each", ranks_text(job.ranks),
                     bytes_text(host_bytes(job.memory, 1)));
}

std::string start_reason(const Gang& gang, size_t jobs, const Room& room) {
  std::string reason = ranks_text(gang.ranks);
  if (gang.slots > gang.ranks) {
    reason += fmt::format(", with the memory of {},", slots_text(gang.slots));
  }
  reason += " on worker " + room.worker->id;
  if (jobs > 1) reason += fmt::format(", shared by {} jobs", jobs);
  if (room.keeper != nullptr) reason += ahead_of(*room.keeper);
  return reason;
}

Start start_of(const std::vector<const Job*>& members, const Gang& gang, const Room& room) {
  Start start{
      .job_ids = {}, .worker_id = room.worker->id, .ranks = gang.ranks, .slots = gang.slots};
  for (const Job* member : members) start.job_ids.push_back(member->id);
  start.reason = start_reason(gang, members.size(), room);
  return start;
}

// Of which `ranks` are on that worker.
Gang gang_of(const std::vector<const Job*>& members, const Worker& worker, int ranks,
             MonotonicTime now) {
  const Job& first = *members.front();
  Gang gang{.id = first.id,
            .tenant = first.tenant,
            .ranks = ranks,
            .memory = first.memory,
            .priority = first.priority,
            .began = now};
  gang.bank = first.bank;
  gang.elastic = elastic_of(first);
  gang.end_by = end_by(first, now);
  for (const Job* member : members) {
    gang.job_ids.push_back(member->id);
    const auto end = end_by(*member, now);
    gang.end_by = end && gang.end_by ? std::max(end, gang.end_by) : std::nullopt;
    if (member != &first) gang.memory = together(gang.memory, member->memory);
  }
  gang.slots = slots_held(worker, first.device, gang.memory, ranks);
  return gang;
}

// One placement from its state to its decisions.
class Placing {
 public:
  Placing(MonotonicTime now, std::vector<Room> rooms, const std::vector<Tenant>& tenants,
          const Queue& queue, const Config& config)
      : now_(now),
        rooms_(std::move(rooms)),
        shares_(tenants, rooms_),
        turns_(queue, shares_),
        banks_(queue, config.bank_limit),
        grow_after_(config.grow_after) {
    for (Room& room : rooms_) {
      unkept_.push_back(&room);
      if (room.free > 0 && takes_work(*room.worker)) free_.push_back(&room);
      const Worker& worker = *room.worker;
      sizes_.emplace(std::tuple(worker.device, worker.slots, worker.memory, worker.gpu_memory),
                     &room);
    }
  }

  Placement run() {
    while (const Job* job = turns_.next()) {
      if (banks_.has_started(*job) || place(*sized(job))) continue;
      turns_.close();
    }
    let_gangs_grow();
    return std::move(placement_);
  }

 private:
  // Of one that runs on fewer ranks too: with as many as it starts with now, or with the fewest,
  // which it then waits for.
  const Job* sized(const Job* job) {
    if (!job->is_elastic()) return job;
    Job& one = sized_.emplace_back(*job);
    one.most = std::min(one.most, std::max(shares_.left(one.tenant), one.least));
    one.ranks = ranks_now(rooms_, one, [&](const Room& room) { return part(room, one); });
    one.ranks = std::max(one.ranks, one.least);
    one.most = job->most;
    return &one;
  }

  void let_gangs_grow() {
    const auto [growth, later] = growths_of(now_, rooms_, shares_, grow_after_);
    placement_.grows_at = later;
    if (!growth) return;
    placement_.leaves.push_back(
        {growth->job_ids, growth->worker_id, "",
         fmt::format("grows from {} to {}", ranks_text(growth->from), ranks_text(growth->to))});
  }

  // Whether it starts.
  bool place(const Job& job) {
    if (const Bar bar = shares_.bar(job); bar.kind != Bar::Kind::kNone) {
      if (may_join(job, bar) && joins(job)) return true;
      wait_for_quota(job, bar);
      return false;
    }
    if (!fits_one_worker(job)) return place_on_several(job);
    if (Room* room = best_room(job)) {
      start(job, *room);
      return true;
    }
    if (joins(job)) return true;
    wait(job, wait_in_turn(job), reason_behind(job));
    return false;
  }

  void wait(const Job& job, const std::string& reason, const std::string& behind) {
    placement_.waits.push_back({job.id, reason});
    placement_.behind.push_back({kind_of(job), job.id, behind});
  }

  void note_turn(const Job& job) {
    if (job.turn == 0) placement_.turns.push_back(job.id);
  }

  // Of a job for which those ahead leave no worker to keep: the rooms that it could run in. Where
  // all of them are of its tenant and came after it, others, each of which keeps one of its workers
  // in its turn, could keep all of them for ever, so that its turn comes. Only of the first of its
  // priority, and not behind one that needs the same, for it starts as that one has.
  void note_passed(const Job& job, const std::vector<const Room*>& kept) {
    const bool passed = std::all_of(kept.begin(), kept.end(), [&](const Room* room) {
      return room->keeper->order > job.order && room->keeper->tenant == job.tenant;
    });
    if (passed && passed_.insert(job.priority).second) note_turn(job);
  }

  std::vector<const Room*> rooms_for(const Job& job) const {
    std::vector<const Room*> rooms;
    for (const Room& room : rooms_) {
      if (could_ever_hold(room, job)) rooms.push_back(&room);
    }
    return rooms;
  }

  // Whether nobody who needs the same has waited before, of whatever priority.
  bool waits_first(const Job& job) {
    const int ranks = job.is_elastic() ? job.least : job.ranks;
    return waited_.emplace(job.tenant, ranks, job.most, job.device, job.memory).second;
  }

  // Who joins takes no slot, but has a gang of its tenant last longer.
  bool may_join(const Job& job, const Bar& bar) const {
    return bar.kind == Bar::Kind::kSlots && fits_one_worker(job) && !at_quota_.contains(job.tenant);
  }

  // For one that no worker would take, those behind it are not kept waiting.
  void wait_for_quota(const Job& job, const Bar& bar) {
    const auto nobody =
        fits_one_worker(job) ? none_takes_work(rooms_, job) : lacks_workers(job, pools_for(job));
    if (bar.kind == Bar::Kind::kSlots && !nobody) {
      at_quota_.insert(job.tenant);
      shares_.hold(job);
    }
    const std::string& reason = nobody ? *nobody : bar.reason;
    wait(job, reason, reason);
  }

  bool fits_one_worker(const Job& job) const {
    return std::any_of(sizes_.begin(), sizes_.end(),
                       [&](const auto& size) { return could_ever_hold(*size.second, job); });
  }

  // The pools that are big enough.
  std::vector<Pool> pools_for(const Job& job) const {
    std::vector<Pool> pools = pools_of(rooms_, job);
    std::erase_if(pools, [&](const Pool& pool) { return ranks_in(pool, job) < job.ranks; });
    return pools;
  }

  // Why a job that no worker could hold alone has nothing to wait for but workers; none: it has.
  // `pools`: of pools_for().
  std::optional<std::string> lacks_workers(const Job& job, const std::vector<Pool>& pools) const {
    if (pools.empty()) return never_fits(rooms_, job);
    for (const Pool& pool : pools) {
      if (!too_few_take_work(pool, job)) return std::nullopt;
    }
    return too_few_take_work(pools.front(), job);
  }

  bool place_on_several(const Job& job) {
    const std::vector<Pool> pools = pools_for(job);
    for (const Pool& pool : pools) {
      const std::vector<Seat> seats = seats_in(pool, job);
      if (seats.empty()) continue;
      start_on_several(job, seats);
      return true;
    }
    wait(job, wait_for_several(job, pools), reason_behind(job));
    return false;
  }

  // Ranks of the job that the room may take now, as one of several.
  int part(const Room& room, const Job& job) const {
    if (!takes_work(*room.worker)) return 0;
    const bool all = room.keeper == nullptr || ends_in_time(room, job, now_);
    return ranks_for(*room.worker, job, all ? room.free : std::min(room.free, room.spare));
  }

  // On the fewest hosts that have room now, of those the emptiest first, and on each so of its
  // workers; empty: there is not enough.
  std::vector<Seat> seats_in(const Pool& pool, const Job& job) const {
    struct Host {
      std::vector<Seat> seats = {};
      int ranks = 0;
    };
    std::vector<Host> hosts;
    std::map<std::string_view, size_t> named;
    for (const Room* room : pool) {
      const Worker& worker = *room->worker;
      const int ranks = part(*room, job);
      const bool alone = worker.host.empty() || named.try_emplace(worker.host, hosts.size()).second;
      Host& host = alone ? hosts.emplace_back() : hosts[named.at(worker.host)];
      host.seats.push_back({worker.id, ranks});
      host.ranks += ranks;
    }
    const auto emptiest_first = [](const auto& a, const auto& b) { return a.ranks > b.ranks; };
    std::stable_sort(hosts.begin(), hosts.end(), emptiest_first);
    std::vector<Seat> seats;
    int left = job.ranks;
    for (Host& host : hosts) {
      std::stable_sort(host.seats.begin(), host.seats.end(), emptiest_first);
      for (Seat& seat : host.seats) {
        seat.ranks = std::min(seat.ranks, left);
        left -= seat.ranks;
        if (seat.ranks > 0) seats.push_back(std::move(seat));
      }
    }
    return left > 0 ? std::vector<Seat>() : seats;
  }

  void start_on_several(const Job& job, const std::vector<Seat>& seats) {
    std::string where, ahead;
    for (const Seat& seat : seats) {
      where += fmt::format("{}{} on {}", where.empty() ? "" : ", ", seat.ranks, seat.worker_id);
      const Room& room = room_of(seat.worker_id);
      if (room.keeper != nullptr) ahead = ahead_of(*room.keeper);
    }
    placement_.starts.push_back(
        {.job_ids = {job.id},
         .worker_id = seats.front().worker_id,
         .ranks = job.ranks,
         .seats = seats,
         .reason = fmt::format("{} on {} workers: {}{}", ranks_text(job.ranks), seats.size(), where,
                               ahead)});
    note_turn(job);
    shares_.hold(job);
    for (const Seat& seat : seats) {
      Room& room = room_of(seat.worker_id);
      Gang gang = gang_of({&job}, *room.worker, seat.ranks, now_);
      gang.spread = true;
      gang.bank.clear();
      take(room, std::move(gang));
    }
  }

  Room& room_of(const std::string& worker_id) {
    return *std::find_if(rooms_.begin(), rooms_.end(),
                         [&](const Room& room) { return room.worker->id == worker_id; });
  }

  // Where too few of them take work nobody is kept waiting for it.
  std::string wait_for_several(const Job& job, const std::vector<Pool>& pools) {
    if (auto reason = lacks_workers(job, pools)) return *std::move(reason);
    std::vector<Room*> own;
    std::vector<const Room*> kept;
    std::vector<Pool> usable;  // what no job ahead keeps
    for (const Pool& pool : pools) {
      Pool& rest = usable.emplace_back();
      for (const Room* room : pool) {
        if (room->keeper != nullptr) {
          kept.push_back(room);
          continue;
        }
        own.push_back(&rooms_[static_cast<size_t>(room - rooms_.data())]);
        if (takes_work(*room->worker)) rest.push_back(room);
      }
    }
    const bool first = waits_first(job);
    if (own.empty()) {
      if (first) note_passed(job, kept);
      return kBehind;
    }
    shares_.hold(job);
    auto reason = make_room_on_several(job, usable);
    std::optional<MonotonicTime> starts_by;
    for (const Pool& pool : reason ? std::vector<Pool>() : usable) {
      const auto free = free_by(pool, job, now_);
      if (free) starts_by = std::min(*free, starts_by.value_or(*free));
    }
    keep(job, own, starts_by);
    return reason ? *std::move(reason)
                  : fmt::format("waits for {} to be free", parts_of_several(pools.front(), job));
  }

  std::optional<std::string> make_room_on_several(const Job& job, const std::vector<Pool>& pools) {
    for (const Pool& pool : pools) {
      int free = 0;
      for (const Room* room : pool) {
        free += ranks_for(*room->worker, job, free_once_left(*room));
      }
      if (free < job.ranks) continue;
      return fmt::format("waits for {}, which are being left", parts_of_several(pool, job));
    }
    for (const Pool& pool : pools) {
      const std::vector<Gang> victims = choose_victims_among(pool, job);
      if (!victims.empty()) return evict(job, victims, "");
    }
    return std::nullopt;
  }

  // Of those for which nothing is left that they could keep.
  std::string reason_behind(const Job& job) const {
    if (fits_one_worker(job)) return kBehind;
    return lacks_workers(job, pools_for(job)).value_or(kBehind);
  }

  bool holds_now(const Room& room, const Job& job) const {
    return allowance(room, job, now_) >= slots_for(*room.worker, job);
  }

  Room* best_room(const Job& job) {
    Room* best = nullptr;
    for (Room* room : free_) {
      if (!holds_now(*room, job)) continue;
      if (best == nullptr || preference(*room, job) < preference(*best, job)) best = room;
    }
    return best;
  }

  // How many gangs of such a job could start now on workers like the best one.
  int places_like(const Room& best, const Job& job) const {
    int places = 0;
    for (const Room* room : free_) {
      if (room->worker->device != best.worker->device) continue;
      places += allowance(*room, job, now_) / slots_for(*room->worker, job);
    }
    return places;
  }

  void start(const Job& first, Room& room) {
    const bool bound = room.keeper != nullptr && ends_in_time(room, first, now_);
    const int slots = slots_for(*room.worker, first);
    const auto holds = [&](const Memory& all) {
      return slots_for(*room.worker, first.device, all, first.ranks) <= slots;
    };
    Memory memory = first.memory;
    const auto members = banks_.start(first, places_like(room, first), [&](const Job& member) {
      if (bound && !ends_in_time(room, member, now_)) return Banks::Join::kNo;
      const Memory with = together(memory, member.memory);
      if (holds(with)) {
        memory = with;
        return Banks::Join::kYes;
      }
      return holds(together(memory, first.memory)) ? Banks::Join::kNo : Banks::Join::kFull;
    });
    Gang gang = gang_of(members, *room.worker, first.ranks, now_);
    gang.start = placement_.starts.size();
    placement_.starts.push_back(start_of(members, gang, room));
    for (const Job* member : members) note_turn(*member);
    shares_.hold(first);
    take(room, std::move(gang));
  }

  void take(Room& room, Gang gang) {
    room.free -= gang.slots;
    if (room.free == 0) std::erase(free_, &room);
    room.gangs.change().push_back(std::move(gang));
    if (room.keeper != nullptr) room.spare = spare_slots(room, *room.keeper);
  }

  struct Company {
    Room* room;
    size_t gang;  // of the room's
    size_t jobs;  // in it
  };

  // The fullest gang of the job's bank with a place left, on a worker that no job ahead waits for:
  // the gang would keep it waiting. One that runs takes in no job that resumes: its checkpoint has
  // to be fetched first. None comes to hold more slots.
  std::optional<Company> company_for(const Job& job) const {
    std::optional<Company> best;
    if (job.bank.empty()) return best;
    for (Room* room : unkept_) {
      if (!takes_work(*room->worker)) continue;
      for (size_t i = 0; i < room->gangs.size(); ++i) {
        const Gang& gang = room->gangs[i];
        const size_t jobs = gang.job_ids.size();
        const bool open = gang.bank == job.bank && !gang.leaving && jobs < banks_.limit_of(job) &&
                          (gang.start || !job.resumes);
        if (!open || (best && jobs <= best->jobs)) continue;
        const Memory memory = together(gang.memory, job.memory);
        if (slots_for(*room->worker, job.device, memory, gang.ranks) > gang.slots) continue;
        best = {room, i, jobs};
      }
    }
    return best;
  }

  // Whether it joins a gang.
  bool joins(const Job& job) {
    const auto company = company_for(job);
    if (company) join(job, *company);
    return company.has_value();
  }

  void join(const Job& job, const Company& company) {
    Room& room = *company.room;
    Gang& gang = room.gangs.change()[company.gang];
    banks_.joined(job);
    note_turn(job);
    gang.memory = together(gang.memory, job.memory);
    if (gang.start) {
      Start& start = placement_.starts[*gang.start];
      start.job_ids.push_back(job.id);
      start.reason = start_reason(gang, start.job_ids.size(), room);
    } else {
      placement_.starts.push_back(
          {.job_ids = {job.id},
           .worker_id = room.worker->id,
           .ranks = job.ranks,
           .slots = gang.slots,
           .gang = gang.id,
           .company = gang.job_ids,
           .reason = fmt::format("{} on worker {}, joins a gang of {}", ranks_text(job.ranks),
                                 room.worker->id, gang.job_ids.size())});
    }
    gang.job_ids.insert(std::lower_bound(gang.job_ids.begin(), gang.job_ids.end(), job.id), job.id);
    const auto end = end_by(job, now_);
    gang.end_by = end && gang.end_by ? std::max(end, gang.end_by) : std::nullopt;
  }

  // Keeps the workers that the job could run on later, and says what it waits for.
  std::string wait_in_turn(const Job& job) {
    std::vector<Room*> own;
    for (Room* room : unkept_) {
      if (could_ever_hold(*room, job)) own.push_back(room);
    }
    const bool first = waits_first(job);
    if (own.empty()) {
      if (first) note_passed(job, rooms_for(job));
      return reason_behind(job);
    }
    if (auto reason = none_takes_work(rooms_, job)) {
      keep(job, own, std::nullopt);
      return *std::move(reason);
    }
    shares_.hold(job);
    // What is left by others may be free at any moment, so that no limit is short enough.
    auto reason = make_room(job, own);
    keep(job, own, reason ? std::nullopt : starts_by(job, own));
    return reason ? *std::move(reason) : fmt::format("waits for {}", slots_of_one(own, job));
  }

  void keep(const Job& job, const std::vector<Room*>& own, std::optional<MonotonicTime> starts_by) {
    note_turn(job);
    for (Room* room : own) {
      room->keeper = &job;
      room->keeper_starts_by = starts_by;
      room->spare = spare_slots(*room, job);
    }
    std::erase_if(unkept_, [](const Room* room) { return room->keeper != nullptr; });
  }

  // The latest start by time limits; none: they do not say.
  std::optional<MonotonicTime> starts_by(const Job& job, const std::vector<Room*>& own) const {
    std::optional<MonotonicTime> soonest;
    for (const Room* room : own) {
      if (!takes_work(*room->worker)) continue;
      const auto free = free_by({room}, job, now_);
      if (free) soonest = std::min(*free, soonest.value_or(*free));
    }
    return soonest;
  }

  // Where the job fits once others have left, who are asked to unless they are leaving already: how
  // it comes to start. None: nowhere.
  std::optional<std::string> make_room(const Job& job, const std::vector<Room*>& own) {
    for (const Room* room : own) {
      const int slots = slots_for(*room->worker, job);
      if (!takes_work(*room->worker) || free_once_left(*room) < slots) continue;
      return fmt::format("waits for {} of worker {}, which is being left", slots_text(slots),
                         room->worker->id);
    }
    const Victims victims = choose_victims(rooms_, job);
    if (victims.room == nullptr) return std::nullopt;
    return evict(job, victims.gangs, victims.room->worker->id);
  }

  // `worker_id`: that is to be left; empty: several.
  std::string evict(const Job& job, const std::vector<Gang>& gangs, const std::string& worker_id) {
    std::vector<std::string> ids;
    for (const Gang& gang : gangs) {
      ids.insert(ids.end(), gang.job_ids.begin(), gang.job_ids.end());
      leave(gang, worker_id, job);
    }
    return fmt::format("{} of lower priority {} asked to {}", some_of(ids),
                       ids.size() == 1 ? "is" : "are",
                       worker_id.empty() ? "make room" : "leave worker " + worker_id);
  }

  void leave(const Gang& gang, const std::string& worker_id, const Job& for_job) {
    placement_.leaves.push_back(
        {gang.job_ids, worker_id, for_job.id,
         fmt::format("preempted by {} of priority {}", for_job.id, for_job.priority)});
    if (!gang.spread) return;
    for (Room& room : rooms_) {  // nobody else asks another part of it
      for (size_t i = 0; i < room.gangs.size(); ++i) {
        if (room.gangs[i].id == gang.id) room.gangs.change()[i].leaving = true;
      }
    }
  }

  const MonotonicTime now_;
  std::vector<Room> rooms_;
  std::vector<Room*> free_;    // with slots that may be taken
  std::vector<Room*> unkept_;  // that no waiting job keeps, in the order of `rooms_`
  // One of each size: device, slots, memory of the host and of a GPU.
  std::map<std::tuple<Device, int, int64_t, int64_t>, const Room*> sizes_;
  Shares shares_;
  Turns turns_;
  Banks banks_;
  const Millis grow_after_;
  std::deque<Job> sized_;     // of jobs that run on fewer ranks too, as they are placed
  std::set<int64_t> passed_;  // priorities of which a job was passed
  // What those that wait need: tenant, ranks, the most of them, device, memory.
  std::set<std::tuple<std::string_view, int, int, Device, Memory>> waited_;
  std::set<std::string_view> at_quota_;  // tenants of which a job waits for slots of the quota
  Placement placement_;
};

// In turn, with every job of the queue that does not start.
std::vector<Wait> all_waits(const Placement& placement, const Queue& queue,
                            const std::set<std::string_view>& started) {
  std::map<std::string_view, std::string_view> first;  // reasons by the job
  for (const Wait& wait : placement.waits) first.emplace(wait.job_id, wait.reason);
  std::map<Turn, Wait> waits;
  for (const WaitBehind& behind : placement.behind) {
    for (const auto& [turn, job] : queue.lines().at(behind.kind)) {
      if (started.contains(job->id)) continue;
      const auto own = first.find(job->id);
      waits.emplace(turn,
                    Wait{job->id, std::string(own == first.end() ? behind.reason : own->second)});
    }
  }
  std::vector<Wait> in_turn;
  for (auto& [turn, wait] : waits) in_turn.push_back(std::move(wait));
  return in_turn;
}

}  // namespace

Placement place(MonotonicTime now, std::vector<Room> rooms, const std::vector<Tenant>& tenants,
                const Queue& queue, const Config& config) {
  return Placing(now, std::move(rooms), tenants, queue, config).run();
}

Placement place(MonotonicTime now, const State& state, const Config& config) {
  const Queue queue(state.queue);
  Placement placement = place(now, rooms_of(state), state.tenants, queue, config);
  std::set<std::string_view> started;
  for (const Start& start : placement.starts) {
    started.insert(start.job_ids.begin(), start.job_ids.end());
  }
  placement.waits = all_waits(placement, queue, started);
  placement.behind.clear();
  return placement;
}

}  // namespace prefixmem::scheduler
