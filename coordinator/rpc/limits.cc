#include "coordinator/rpc/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace prefixmem::rpc {
namespace {

constexpr int kSecondsAtOnce = 10;
constexpr size_t kMostCallers = 10'000;  // before those that have been quiet are forgotten

Status check_range(const char* flag, int value, int least, int most) {
  if (value >= least && value <= most) return {};
  return invalid_argument(
      fmt::format("{} is {}; allowed: a number from {} to {}", flag, value, least, most));
}

}  // namespace

Status check(const Limits& limits) {
  PM_TRY(check_range("--max-message-mib", limits.message_mib, 4, 1024));
  PM_TRY(check_range("--max-spec-kib", limits.spec_kib, 1, limits.message_mib * 1024));
  PM_TRY(check_range("--max-calls-per-second", limits.calls_per_second, 1, 1'000'000));
  return check_range("--max-streams", limits.streams_per_caller, 1, 1'000'000);
}

Status check_spec_size(size_t bytes, const Limits& limits) {
  const size_t most = static_cast<size_t>(limits.spec_kib) << 10;
  if (bytes <= most) return {};
  return resource_exhausted(
      fmt::format("the spec has {} bytes; allowed: at most {} (--max-spec-kib of the coordinator)",
                  bytes, most));
}

double CallerLimits::most_at_once() const {
  return static_cast<double>(limits_.calls_per_second) * kSecondsAtOnce;
}

// With what it has gained since it was last asked for.
CallerLimits::Caller& CallerLimits::caller_of(const std::string& name) {
  const MonotonicTime now = clock_.monotonic();
  if (callers_.size() >= kMostCallers && !callers_.contains(name)) forget_idle();
  const auto [found, is_new] = callers_.try_emplace(name, Caller{most_at_once(), now});
  Caller& caller = found->second;
  const double gained = to_seconds(now - caller.at) * limits_.calls_per_second;
  caller.left = std::min(most_at_once(), caller.left + gained);
  caller.at = now;
  return caller;
}

// Whose bucket is full again is as good as new.
void CallerLimits::forget_idle() {
  const MonotonicTime now = clock_.monotonic();
  std::erase_if(callers_, [&](const auto& entry) {
    return entry.second.streams == 0 && now - entry.second.at > Millis(1000 * kSecondsAtOnce);
  });
}

Status CallerLimits::admit(const std::string& caller) {
  const MutexLock lock(mutex_);
  Caller& who = caller_of(caller);
  if (who.left < 1) {
    return resource_exhausted(
        fmt::format("{} makes too many calls; allowed: {} a second, {} at once "
                    "(--max-calls-per-second of the coordinator)",
                    caller, limits_.calls_per_second, most_at_once()));
  }
  who.left -= 1;
  return {};
}

Result<std::shared_ptr<const void>> CallerLimits::open_stream(const std::string& caller) {
  const MutexLock lock(mutex_);
  Caller& who = caller_of(caller);
  if (who.streams >= limits_.streams_per_caller) {
    return resource_exhausted(
        fmt::format("{} has {} streams open; allowed: {} (--max-streams of the coordinator)",
                    caller, who.streams, limits_.streams_per_caller));
  }
  who.streams += 1;
  return std::shared_ptr<const void>(this, [this, caller](const void*) { close_stream(caller); });
}

void CallerLimits::close_stream(const std::string& caller) {
  const MutexLock lock(mutex_);
  callers_.at(caller).streams -= 1;
}

}  // namespace prefixmem::rpc
