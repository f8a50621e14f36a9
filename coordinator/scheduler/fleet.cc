#include "coordinator/scheduler/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "coordinator/scheduler/memory.h"
#include "coordinator/scheduler/reasons.h"

namespace prefixmem::scheduler {
namespace {

const char* device_text(Device device) { return device == Device::kCuda ? "GPUs" : "no GPU"; }

// Where what waits is packed.
struct Bin {
  std::string allocation = {};  // empty: of none, or of one that is still to be submitted
  int free = 0;
  Worker worker = {};  // its size alone
};

Worker worker_of(int slots, Device device, int64_t memory, int64_t gpu_memory) {
  Worker worker;
  worker.slots = slots;
  worker.device = device;
  worker.memory = memory;
  worker.gpu_memory = gpu_memory;
  return worker;
}

// Slots of a gang.
int slots_for(const Bin& bin, const Want& want) {
  return slots_for(bin.worker, want.device, want.memory, want.ranks);
}

// Once it is empty.
bool holds(const Bin& bin, const Want& want) {
  return has_device(bin.worker, want.device) && slots_for(bin, want) <= bin.worker.slots;
}

class Packing {
 public:
  // `next`: an allocation to come, of which there may be `room`.
  Packing(std::vector<Bin> bins, Bin next, int room)
      : bins_(std::move(bins)), next_(std::move(next)), room_(room) {}

  void add(const Want& want) {
    const bool one_will_do =
        std::any_of(bins_.begin(), bins_.end(), [&](const Bin& bin) { return holds(bin, want); });
    const bool next_will_do = holds(next_, want);
    if (one_will_do || next_will_do) return add_whole(want, next_will_do);
    for (int64_t left = want.gangs; left > 0 && spread(want); --left) {
    }
  }

  const std::set<std::string>& needed() const { return needed_; }
  int missing() const { return missing_; }

 private:
  void add_whole(const Want& want, bool next_will_do) {
    int64_t left = want.gangs;
    for (size_t i = 0; left > 0; ++i) {
      if (i == bins_.size() && !(next_will_do && grow())) return;
      Bin& bin = bins_[i];
      if (!holds(bin, want)) continue;
      const int slots = slots_for(bin, want);
      const int64_t gangs = std::min<int64_t>(left, bin.free / slots);
      take(bin, static_cast<int>(gangs) * slots);
      left -= gangs;
    }
  }

  // One gang over several workers, as it would be placed where none can hold it. Whether there is
  // room for it.
  bool spread(const Want& want) {
    const int of_next = ranks_of(next_, want);
    int64_t ranks = int64_t{room_ - missing_} * of_next;
    for (const Bin& bin : bins_) ranks += ranks_of(bin, want);
    if (ranks < want.ranks) return false;
    int left = want.ranks;
    for (size_t i = 0; left > 0; ++i) {
      if (i == bins_.size() && !(of_next > 0 && grow())) return false;
      Bin& bin = bins_[i];
      const int part = std::min(left, ranks_of(bin, want));
      if (part == 0) continue;
      take(bin, slots_for(bin.worker, want.device, want.memory, part));
      left -= part;
    }
    return true;
  }

  // Of a gang on several, that the bin has room for.
  static int ranks_of(const Bin& bin, const Want& want) {
    if (!has_device(bin.worker, want.device)) return 0;
    return ranks_for(bin.worker, want.device, want.memory, bin.free);
  }

  void take(Bin& bin, int slots) {
    if (slots == 0) return;
    bin.free -= slots;
    needed_.insert(bin.allocation);
  }

  bool grow() {
    if (missing_ >= room_) return false;
    ++missing_;
    bins_.push_back(next_);
    return true;
  }

  std::vector<Bin> bins_;
  const Bin next_;
  const int room_;
  int missing_ = 0;
  std::set<std::string> needed_;
};

}  // namespace

FleetPlan Fleet::plan(MonotonicTime now, const std::vector<Allocation>& listed,
                      const Demand& demand) {
  FleetPlan plan;
  observe(now, listed, demand, plan);
  const int missing = pack(now, demand);
  give_up(now, plan);
  if (std::exchange(failed_, false)) fail(now);
  let_go(now, plan);
  plan.wanted = std::max(missing, limits_.least - alive());
  plan.submit = to_submit(now, plan.wanted);
  return plan;
}

void Fleet::observe(MonotonicTime now, const std::vector<Allocation>& listed, const Demand& demand,
                    FleetPlan& plan) {
  std::set<std::string> there;
  for (const auto& [id, state] : listed) {
    there.insert(id);
    Member& member = members_.try_emplace(id, Member{.needed = now}).first->second;
    member.state = state;
    if (state != AllocationState::kRunning) continue;
    member.withdrawn = false;
    if (!member.attended) member.attended = member.needed = now;
  }
  attend(now, demand, plan);
  for (const auto& [id, member] : members_) {
    if (there.contains(id) || member.proven || member.leaving || member.withdrawn) continue;
    failed_ = true;
    plan.failures.push_back(fmt::format("{} ended before its worker came", id));
  }
  std::erase_if(members_, [&](const auto& entry) { return !there.contains(entry.first); });
}

void Fleet::attend(MonotonicTime now, const Demand& demand, FleetPlan& plan) {
  for (const Place& place : demand.places) {
    const auto found = members_.find(place.allocation);
    if (found == members_.end()) continue;
    Member& member = found->second;
    member.attended = now;
    if (!std::exchange(member.proven, true)) {
      member.needed = now;
      failures_ = 0;
      next_submit_ = {};
      if (place.slots != limits_.slots || place.device != limits_.device) {
        plan.surprises.push_back(
            fmt::format("{} has brought a worker of {} and {}, counted on were {} and {}",
                        place.allocation, slots_text(place.slots), device_text(place.device),
                        slots_text(limits_.slots), device_text(limits_.device)));
      }
    }
    if (place.busy) member.needed = now;
    if (place.slots != limits_.slots || place.device != limits_.device) continue;
    memory_ = std::max(memory_, place.memory);
    gpu_memory_ = std::max(gpu_memory_, place.gpu_memory);
  }
}

int Fleet::pack(MonotonicTime now, const Demand& demand) {
  std::vector<Bin> bins;
  for (const Place& place : demand.places) {
    if (!place.takes_work) continue;
    bins.push_back({place.allocation, place.free,
                    worker_of(place.slots, place.device, place.memory, place.gpu_memory)});
  }
  // As they are placed: where the fewest are left.
  std::stable_sort(bins.begin(), bins.end(),
                   [](const Bin& a, const Bin& b) { return a.free < b.free; });
  const Bin next{"", limits_.slots, worker_of(limits_.slots, limits_.device, memory_, gpu_memory_)};
  for (const auto state : {AllocationState::kRunning, AllocationState::kPending}) {
    for (const auto& [id, member] : members_) {
      if (member.state != state || member.proven || !member.counts()) continue;
      bins.push_back(next);
      bins.back().allocation = id;
    }
  }
  Packing packing(std::move(bins), next, room());
  for (const Want& want : demand.wants) packing.add(want);
  for (const std::string& id : packing.needed()) {
    if (const auto found = members_.find(id); found != members_.end()) found->second.needed = now;
  }
  return packing.missing();
}

void Fleet::give_up(MonotonicTime now, FleetPlan& plan) {
  for (auto& [id, member] : members_) {
    const bool running = member.state == AllocationState::kRunning;
    if (running && !member.leaving && now - *member.attended >= limits_.start) {
      member.leaving = true;
      plan.failures.push_back(
          fmt::format("{} has run for {:.0f} s without a worker that is connected", id,
                      to_seconds(now - *member.attended)));
      failed_ |= !member.proven;
    }
    if (member.leaving && member.state != AllocationState::kEnding) plan.cancel.push_back(id);
  }
}

// Those that have not started first, then those that were not needed for longest.
void Fleet::let_go(MonotonicTime now, FleetPlan& plan) {
  std::vector<std::pair<MonotonicTime, std::string>> idle;
  for (auto& [id, member] : members_) {
    const bool pending = member.state == AllocationState::kPending;
    if (member.withdrawn && pending) plan.withdraw.push_back(id);
    if (!member.counts() || now - member.needed < limits_.idle) continue;
    idle.emplace_back(pending ? MonotonicTime() : member.needed, id);
  }
  std::sort(idle.begin(), idle.end());
  int left = alive() - limits_.least;
  for (const auto& [needed, id] : idle) {
    if (left-- <= 0) return;
    Member& member = members_.at(id);
    member.withdrawn = member.state == AllocationState::kPending;
    (member.withdrawn ? plan.withdraw : plan.release).push_back(id);
  }
}

int Fleet::to_submit(MonotonicTime now, int wanted) const {
  if (now < next_submit_) return 0;
  const int allowed = std::min(room(), limits_.most_pending - pending());
  return std::max(0, std::min({wanted, allowed, failures_ > 0 ? 1 : wanted}));
}

void Fleet::submitted(MonotonicTime now, const std::string& id) {
  members_[id] = {.needed = now};
  if (failures_ > 0) next_submit_ = now + backoff_delay(limits_.backoff, failures_ - 1, 0);
}

void Fleet::refused(MonotonicTime now) { fail(now); }

void Fleet::released(const std::string& id) {
  if (const auto found = members_.find(id); found != members_.end()) found->second.leaving = true;
}

void Fleet::fail(MonotonicTime now) {
  next_submit_ = now + backoff_delay(limits_.backoff, failures_++, 0);
}

int Fleet::room() const { return std::max(0, limits_.most - static_cast<int>(members_.size())); }

int Fleet::alive() const {
  return static_cast<int>(std::count_if(members_.begin(), members_.end(),
                                        [](const auto& entry) { return entry.second.counts(); }));
}

int Fleet::pending() const {
  return static_cast<int>(std::count_if(members_.begin(), members_.end(), [](const auto& entry) {
    return entry.second.state == AllocationState::kPending;
  }));
}

std::map<std::string, int> Fleet::counts() const {
  std::map<std::string, int> counts = {
      {"pending", 0}, {"starting", 0}, {"running", 0}, {"ending", 0}};
  for (const auto& [id, member] : members_) {
    const bool ending = member.leaving || member.state == AllocationState::kEnding;
    const bool pending = member.state == AllocationState::kPending;
    counts[ending ? "ending" : pending ? "pending" : member.proven ? "running" : "starting"] += 1;
  }
  return counts;
}

}  // namespace prefixmem::scheduler
