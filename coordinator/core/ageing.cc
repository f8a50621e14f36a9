// What has ended goes once it is old; and what is left of what was removed goes bit by bit.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/find_job.h"

namespace prefixmem {
namespace {

constexpr Millis kBetweenLooks = std::chrono::hours(1);
// Of a submission whose job was removed: so that one that comes late, or again, makes no other.
constexpr Millis kKeyKept = std::chrono::hours(24);
constexpr int kEventsAtATime = 2000;  // for as long as deleting them takes, nothing else is written

}  // namespace

// One at a time, so that nobody waits for long.
void Coordinator::remove_old() {
  if (looks_for_old()) {
    auto found = find_old();
    if (!found.ok()) spdlog::error("looking for what is old: {}", found.status().message());
    const MutexLock writing(write_mutex_);
    if (found.ok()) old_ = *std::move(found);
  }
  const auto next = next_old();
  if (!next) return;
  const std::string name = called(*next);
  const auto removed = remove(*next);
  if (removed.ok()) return log_removed(name, *removed, true);
  // Another comes after it, or somebody has pinned or removed it meanwhile.
  spdlog::debug("what is old stays for now: {}", removed.status().message());
}

// "job-1 (its name)"; the id alone where it has just gone.
std::string Coordinator::called(const Removal& removal) {
  if (!removal.sweep.empty()) {
    const auto sweep = reader().sweep(removal.sweep);
    const bool there = sweep.ok() && sweep->has_value();
    return there ? fmt::format("{} ({})", removal.sweep, (*sweep)->name()) : removal.sweep;
  }
  const auto job = reader().job(removal.jobs.front());
  return job.ok() && job->has_value() ? name_of(**job) : removal.jobs.front();
}

// Whether it is time to.
bool Coordinator::looks_for_old() {
  const MutexLock writing(write_mutex_);
  const MonotonicTime now = environment_.clock.monotonic();
  if (now < next_look_for_old_) return false;
  next_look_for_old_ = now + kBetweenLooks;
  leftovers_ = true;
  return true;
}

std::optional<Coordinator::Removal> Coordinator::next_old() {
  const MutexLock writing(write_mutex_);
  if (old_.empty()) return std::nullopt;
  Removal next = std::move(old_.front());
  old_.pop_front();
  return next;
}

// The files of a sweep's trials go before it, each for itself, but not where it is to stay.
Result<std::deque<Coordinator::Removal>> Coordinator::find_old() {
  std::deque<Removal> old;
  const WallTime now = environment_.clock.wall();
  if (config_.keep_files) {
    PM_ASSIGN(const auto jobs, reader().old_jobs_with_files(now - *config_.keep_files));
    for (const std::string& id : jobs) {
      old.push_back({.jobs = {id}, .files_only = true, .age = config_.keep_files});
    }
  }
  if (!config_.keep_jobs) return old;
  PM_ASSIGN(const auto jobs, reader().old_jobs(now - *config_.keep_jobs));
  for (const std::string& id : jobs) old.push_back({.jobs = {id}, .age = config_.keep_jobs});
  PM_ASSIGN(const auto sweeps, reader().old_sweeps(now - *config_.keep_jobs));
  for (const std::string& id : sweeps) {
    v1::Removed none;
    const auto trials = leaving_trials(id, /*files_only=*/false, none);
    if (!trials.ok()) continue;
    for (const std::string& trial : *trials) {
      old.push_back({.jobs = {trial}, .files_only = true, .age = config_.keep_jobs});
    }
    old.push_back({.sweep = id, .age = config_.keep_jobs});
  }
  return old;
}

void Coordinator::drop_leftovers() {
  const MutexLock writing(write_mutex_);
  if (!leftovers_ || !failure().ok()) return;
  const WallTime before = environment_.clock.wall() - kKeyKept;
  const auto there = reader().has_leftovers(before);
  if (!there.ok()) return spdlog::error("dropping leftovers: {}", there.status().message());
  leftovers_ = *there;
  if (!leftovers_) return;
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  leftovers_ = transaction.drop_events_of_removed(kEventsAtATime);
  if (!leftovers_) transaction.drop_keys_of_removed(before);
  // What a failed write means is told where it is committed.
  if (!commit(transaction, begin, 0).ok()) leftovers_ = true;
}

}  // namespace prefixmem
