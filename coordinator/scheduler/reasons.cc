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
  const auto pools = pools_of(rooms, job);
  if (pools.empty()) return "needs device cuda, no connected worker has it";
  int slots = 0;
  for (const Pool& pool : pools) slots = std::max(slots, slots_of(pool));
  return fmt::format("needs {}, the workers that it could run on together have {}",
                     ranks_text(job.ranks), slots_text(slots));
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

std::optional<std::string> too_few_take_work(const Pool& pool, const Job& job) {
  int slots = 0;
  std::set<std::string_view> cordoned, away;
  for (const Room* room : pool) {
    if (takes_work(*room->worker)) {
      slots += room->worker->slots;
    } else {
      (room->worker->cordoned ? cordoned : away).insert(room->worker->id);
    }
  }
  if (slots >= job.ranks) return std::nullopt;
  std::string missing;
  if (!away.empty()) missing = fmt::format("; away: {}", fmt::join(away, ", "));
  if (!cordoned.empty()) missing += fmt::format("; cordoned: {}", fmt::join(cordoned, ", "));
  return fmt::format("needs {}, the workers that take work have {}{}", ranks_text(job.ranks),
                     slots_text(slots), missing);
}

}  // namespace prefixmem::scheduler
