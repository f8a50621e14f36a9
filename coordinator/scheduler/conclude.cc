#include "coordinator/scheduler/conclude.h"

#include <fmt/format.h>

namespace prefixmem::scheduler {

Conclusion conclude(const Gang& gang, const Status& end, bool draining, const Config& config) {
  if (end.ok()) return {Outcome::kSucceeded, Code::kOk, "finished"};
  if (!gang.cancel_reason.empty()) return {Outcome::kCancelled, Code::kOk, gang.cancel_reason};
  if (end.code() == Code::kCancelled) return {Outcome::kCancelled, Code::kOk, end.message()};
  if (end.code() != Code::kUnavailable) return {Outcome::kFailed, end.code(), end.message()};
  if (draining) return {Outcome::kMove, end.code(), end.message() + "; queued again"};
  if (gang.job.retries >= config.max_retries) {
    return {Outcome::kFailed, end.code(),
            fmt::format("{}; given up after {} {}", end.message(), gang.job.retries,
                        gang.job.retries == 1 ? "retry" : "retries")};
  }
  return {
      Outcome::kRetry, end.code(),
      fmt::format("{}; retry {} of {}", end.message(), gang.job.retries + 1, config.max_retries)};
}

}  // namespace prefixmem::scheduler
