#include "coordinator/scheduler/reasons.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace prefixmem::scheduler {

std::string ranks_text(int ranks) {
  return fmt::format("{} {}", ranks, ranks == 1 ? "rank" : "ranks");
}

std::string slots_text(int slots) {
  return fmt::format("{} {}", slots, slots == 1 ? "slot" : "slots");
}

std::string some_of(std::vector<std::string> ids) {
  constexpr size_t kMost = 3;
  if (ids.size() > kMost) {
    const size_t more = ids.size() - kMost;
    ids.resize(kMost);
    ids.push_back(fmt::format("{} more", more));
  }
  return fmt::format("{}", fmt::join(ids, ", "));
}

std::string never_fits(const std::vector<Room>& rooms, const Job& job) {
  if (rooms.empty()) return "no worker is connected";
  int largest = 0;
  for (const Room& room : rooms) {
    if (has_device(room, job)) largest = std::max(largest, room.worker->slots);
  }
  if (largest == 0) return "needs device cuda, no connected worker has it";
  return fmt::format(
      "needs {}, the largest worker has {} (a gang over several workers is not possible yet)",
      ranks_text(job.ranks), slots_text(largest));
}

std::optional<std::string> none_takes_work(const std::vector<Room>& rooms, const Job& job) {
  std::set<std::string_view> cordoned;
  bool away = false;
  for (const Room& room : rooms) {
    if (!could_ever_hold(room, job)) continue;
    if (takes_work(*room.worker)) return std::nullopt;
    if (room.worker->cordoned) cordoned.insert(room.worker->id);
    away |= !room.worker->cordoned;
  }
  if (away) return "waits for a worker to reconnect";
  return fmt::format("every worker that it fits is cordoned ({})", fmt::join(cordoned, ", "));
}

}  // namespace prefixmem::scheduler
