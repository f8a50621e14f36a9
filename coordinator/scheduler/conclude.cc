#include "coordinator/scheduler/conclude.h"

#include <fmt/format.h>

namespace prefixmem::scheduler {
namespace {

Conclusion apart(const Status& end, int shared_by) {
  const int limit = end.code() == Code::kResourceExhausted ? shared_by / 2 : 1;
  const std::string room =
      limit > 1 ? fmt::format("a gang of at most {} jobs", limit) : "a gang of its own";
  return {Outcome::kMove, end.code(), fmt::format("{}; queued again for {}", end.message(), room),
          limit};
}

Conclusion moved(const Status& why) {
  return {Outcome::kMove, why.code(), why.message() + "; queued again"};
}

Conclusion stopped(const Status& stop) {
  if (stop.code() == Code::kCancelled) return {Outcome::kCancelled, Code::kOk, stop.message()};
  if (stop.code() == Code::kUnavailable) return moved(stop);
  return {Outcome::kTimedOut, stop.code(), stop.message()};
}

Conclusion by_cause(const Attempt& attempt, const End& end, const Config& config) {
  const Status& status = end.status;
  if (status.ok()) return {Outcome::kSucceeded, Code::kOk, "finished"};
  if (!attempt.stop.ok()) return stopped(attempt.stop);
  if (status.code() == Code::kCancelled) return stopped(status);
  const bool elsewhere = is_of_full_disk(status);
  if (end.shared_by > 1 && !elsewhere) return apart(status, end.shared_by);
  if (status.code() != Code::kUnavailable && !elsewhere) {
    return {Outcome::kFailed, status.code(), status.message()};
  }
  if (end.draining) return moved(status);
  const int retries = attempt.job.retries;
  if (retries >= config.max_retries) {
    return {Outcome::kFailed, status.code(),
            fmt::format("{}; given up after {} {}", status.message(), retries,
                        retries == 1 ? "retry" : "retries")};
  }
  return {Outcome::kRetry, status.code(),
          fmt::format("{}; retry {} of {}", status.message(), retries + 1, config.max_retries)};
}

}  // namespace

Status time_is_up(const TimeLimit& limit) {
  return resource_exhausted(fmt::format("the time limit of {} is used up", limit.text));
}

Conclusion conclude(const Attempt& attempt, const End& end, const Config& config) {
  Conclusion conclusion = by_cause(attempt, end, config);
  const TimeLimit& limit = attempt.job.time;
  const bool goes_on =
      conclusion.outcome == Outcome::kRetry || conclusion.outcome == Outcome::kMove;
  if (!goes_on || limit.text.empty() || limit.left > Millis(0)) return conclusion;
  return stopped(time_is_up(limit));
}

}  // namespace prefixmem::scheduler
