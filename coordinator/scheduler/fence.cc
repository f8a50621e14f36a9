#include "coordinator/scheduler/fence.h"

#include <fmt/format.h>

#include <algorithm>

namespace prefixmem::scheduler {
namespace {

bool is(const AttemptKey& key, const Attempt& attempt) {
  return key.job_id == attempt.job.id && key.attempt == attempt.attempt;
}

}  // namespace

Status fence(const AttemptKey& reported, const Attempt* current) {
  if (current == nullptr) {
    return failed_precondition(
        fmt::format("attempt {} of {} is not current: no attempt of the job is placed",
                    reported.attempt, reported.job_id));
  }
  if (is(reported, *current)) return {};
  return failed_precondition(fmt::format("attempt {} of {} is not current: attempt {} is",
                                         reported.attempt, reported.job_id, current->attempt));
}

Reconciliation reconcile(const std::vector<AttemptKey>& reported, const std::vector<Held>& held) {
  Reconciliation result;
  for (const AttemptKey& key : reported) {
    const bool current =
        std::any_of(held.begin(), held.end(), [&](const Held& h) { return is(key, h.attempt); });
    (current ? result.kept : result.stale).push_back(key);
  }
  for (const Held& h : held) {
    const bool known = std::any_of(reported.begin(), reported.end(),
                                   [&](const AttemptKey& key) { return is(key, h.attempt); });
    if (known) continue;
    auto& fate = h.began ? result.gone : result.resent;
    fate.push_back({h.attempt.job.id, h.attempt.attempt});
  }
  return result;
}

}  // namespace prefixmem::scheduler
