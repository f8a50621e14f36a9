// Durations seen from many threads, and what is said of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace prefixmem::load {

using SteadyTime = std::chrono::steady_clock::time_point;

inline double seconds_since(SteadyTime start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct LatencySummary {
  size_t count = 0;
  double p50 = 0, p99 = 0, worst = 0;  // seconds
};

// Thread-safe.
class Latencies {
 public:
  void add(double seconds) {
    const std::lock_guard lock(mutex_);
    seconds_.push_back(seconds);
  }

  // Of what was added since the last call.
  LatencySummary take() {
    std::vector<double> all;
    {
      const std::lock_guard lock(mutex_);
      all = std::exchange(seconds_, {});
    }
    if (all.empty()) return {};
    std::sort(all.begin(), all.end());
    const auto at = [&](double share) {
      return all[std::min(all.size() - 1,
                          static_cast<size_t>(share * static_cast<double>(all.size())))];
    };
    return {all.size(), at(0.5), at(0.99), all.back()};
  }

 private:
  std::mutex mutex_;
  std::vector<double> seconds_;
};

}  // namespace prefixmem::load
