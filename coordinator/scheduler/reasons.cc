#include "coordinator/scheduler/reasons.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "coordinator/scheduler/memory.h"

namespace prefixmem::scheduler {
namespace {

// Workers that take no work, by what keeps them from it.
struct OutOfService {
  std::set<std::string_view> away, cordoned, unhealthy;

  void add(const Worker& worker) {
    const bool here = worker.connected && !worker.draining;
    auto& ids = worker.cordoned ? cordoned : (here && worker.unhealthy ? unhealthy : away);
    ids.insert(worker.id);
  }

  // "; away: a, b; cordoned: c"
  std::string text() const {
    std::string all;
    const auto tell = [&all](const char* what, const std::set<std::string_view>& ids) {
      if (!ids.empty()) all += fmt::format("; {}: {}", what, fmt::join(ids, ", "));
    };
    tell("away", away);
    tell("cordoned", cordoned);
    tell("unhealthy", unhealthy);
    return all;
  }
};

// Of workers that have slots enough, but not the memory.
std::string lacks_memory(const std::vector<Pool>& pools, const Job& job) {
  int ranks = 0;
  int64_t host = 0, gpu = 0;  // of the largest
  for (const Pool& pool : pools) {
    ranks = std::max(ranks, ranks_in(pool, job));
    for (const Room* room : pool) {
      const bool on_gpu = uses_gpus(*room->worker, job.device);
      int64_t& largest = on_gpu ? gpu : host;
      largest = std::max(largest, on_gpu ? room->worker->gpu_memory : room->worker->memory);
    }
  }
  if (ranks > 0) {
    return fmt::format("needs {}, the workers that it could run on together have memory for {}",
                       ranks_text(job.ranks), ranks);
  }
  std::string text = "a rank needs ";
  if (gpu > 0) {
    text += fmt::format("{} of a GPU, the largest has {}",
                        bytes_text(job.memory.gpu_base + job.memory.own), bytes_text(gpu));
  }
  if (host > 0) {
    text +=
        fmt::format("{}{} of memory, the largest worker {}{}", gpu > 0 ? "; without one " : "",
                    bytes_text(host_bytes(job.memory, 1)), gpu > 0 ? "" : "has ", bytes_text(host));
  }
  return text;
}

}  // namespace

std::string ranks_text(int ranks) {
  return fmt::format("{} {}", ranks, ranks == 1 ? "rank" : "ranks");
}

std::string slots_text(int slots) {
  return fmt::format("{} {}", slots, slots == 1 ? "slot" : "slots");
}

std::string bytes_text(int64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (int64_t{1} << 30));
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
  if (slots >= job.ranks) return lacks_memory(pools, job);
  return fmt::format("needs {}, the workers that it could run on together have {}",
                     ranks_text(job.ranks), slots_text(slots));
}

std::optional<std::string> none_takes_work(const std::vector<Room>& rooms, const Job& job) {
  OutOfService out;
  for (const Room& room : rooms) {
    if (!could_ever_hold(room, job)) continue;
    if (takes_work(*room.worker)) return std::nullopt;
    out.add(*room.worker);
  }
  if (!out.away.empty()) return "waits for a worker to reconnect";
  if (out.unhealthy.empty()) {
    return fmt::format("every worker that it fits is cordoned ({})", fmt::join(out.cordoned, ", "));
  }
  if (out.cordoned.empty()) {
    return fmt::format("every worker that it fits is unhealthy ({})",
                       fmt::join(out.unhealthy, ", "));
  }
  return "no worker that it fits takes work" + out.text();
}

std::optional<std::string> too_few_take_work(const Pool& pool, const Job& job) {
  int slots = 0, ranks = 0;
  OutOfService out;
  for (const Room* room : pool) {
    if (takes_work(*room->worker)) {
      slots += room->worker->slots;
      ranks += ranks_for(*room->worker, job, room->worker->slots);
    } else {
      out.add(*room->worker);
    }
  }
  if (ranks >= job.ranks) return std::nullopt;
  const std::string have = ranks < slots ? fmt::format("memory for {}", ranks) : slots_text(slots);
  return fmt::format("needs {}, the workers that take work have {}{}", ranks_text(job.ranks), have,
                     out.text());
}

}  // namespace prefixmem::scheduler
