// How long to wait before trying again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stop_token>

namespace prefixmem {

struct BackoffPolicy {
  std::chrono::milliseconds first{200};
  std::chrono::milliseconds longest{10000};
  double factor = 2;
  double jitter = 0.5;  // share of the delay that is random, 0..1
};

// The delay before retry number `retry` (0 for the first): first * factor^retry, at most `longest`,
// of which the last `jitter` share is scaled by `random` (uniform in [0, 1)), so that clients which
// failed together do not come back together. Pure.
inline std::chrono::milliseconds backoff_delay(const BackoffPolicy& policy, int retry,
                                               double random) {
  const double full = std::min(
      static_cast<double>(policy.longest.count()),
      static_cast<double>(policy.first.count()) * std::pow(policy.factor, std::max(retry, 0)));
  return std::chrono::milliseconds(std::llround(full * (1 - policy.jitter * (1 - random))));
}

// Waits; false where `stop` was raised before the end.
bool wait_unless_stopped(std::chrono::milliseconds span, const std::stop_token& stop);

}  // namespace prefixmem
