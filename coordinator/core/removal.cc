// What has ended goes when somebody asks for it, unless it is pinned.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "common/proto/job_state.h"
#include "common/proto/timestamps.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/find_job.h"

namespace prefixmem {
namespace {

void add(const v1::Removed& more, v1::Removed& all) {
  all.set_jobs(all.jobs() + more.jobs());
  all.set_files(all.files() + more.files());
  all.set_bytes(all.bytes() + more.bytes());
}

}  // namespace

Result<v1::Removed> Coordinator::remove_job(const std::string& id_or_name, bool files_only) {
  PM_ASSIGN(const v1::Job job, find_job(reader(), id_or_name));
  PM_ASSIGN(const auto sweep, reader().sweep(job.sweep_id()));
  if (sweep && !files_only) {
    return failed_precondition(
        fmt::format("job {} is a trial of sweep {} ({}); allowed, once that has ended: to remove "
                    "it, or files of the trial alone",
                    name_of(job), sweep->id(), sweep->name()));
  }
  PM_ASSIGN(v1::Removed removed, remove({.jobs = {job.id()}, .files_only = files_only}));
  removed.set_job_id(job.id());
  log_removed(name_of(job), removed, false);
  return removed;
}

// Files go a trial at a time, so that nobody waits for long; what follows them is all or nothing.
Result<v1::Removed> Coordinator::remove_sweep(const std::string& id_or_name, bool files_only) {
  PM_ASSIGN(const v1::Sweep sweep, find_sweep(reader(), id_or_name));
  v1::Removed all;
  all.set_sweep_id(sweep.id());
  PM_ASSIGN(const auto trials, leaving_trials(sweep.id(), files_only, all));
  for (const std::string& id : trials) {
    const auto files = remove({.jobs = {id}, .files_only = true});
    if (!files.ok())
      return files.status().with_context(fmt::format("{} files are gone", all.files()));
    add(*files, all);
  }
  if (!files_only) {
    const auto rest = remove({.sweep = sweep.id()});
    if (!rest.ok())
      return rest.status().with_context(fmt::format("{} files are gone", all.files()));
    add(*rest, all);
  }
  log_removed(fmt::format("{} ({})", sweep.id(), sweep.name()), all, false);
  return all;
}

// Ids of its trials, of which pinned ones keep their files and are counted. What would be refused
// is so at once.
Result<std::vector<std::string>> Coordinator::leaving_trials(const std::string& sweep_id,
                                                             bool files_only, v1::Removed& all) {
  const MutexLock writing(write_mutex_);
  PM_ASSIGN(const auto trials, reader().trials(sweep_id));
  const MutexLock lock(mutex_);
  if (live_.sweeps.contains(sweep_id)) {
    return failed_precondition("sweep " + sweep_id + " goes on; allowed: once it has ended");
  }
  const Dependents dependents = files_only ? Dependents() : dependents_of_all();
  std::vector<std::string> ids;
  for (const v1::Job& job : trials) {
    if (files_only && job.pinned()) {
      all.set_pinned_jobs(all.pinned_jobs() + 1);
      continue;
    }
    PM_TRY(check_leaving(job, dependents));
    ids.push_back(job.id());
  }
  return ids;
}

Result<v1::Removed> Coordinator::remove(const Removal& removal) {
  Result<v1::Removed> removed = v1::Removed();
  std::set<std::string> news;
  {
    const MutexLock writing(write_mutex_);
    removed = remove_written(removal, news);
  }
  if (removed.ok()) subscriptions_.notify(news);  // those who watch see that it is gone
  return removed;
}

Result<v1::Removed> Coordinator::remove_written(const Removal& removal,
                                                std::set<std::string>& news) {
  const MonotonicTime begin = environment_.clock.monotonic();
  const WallTime now = environment_.clock.wall();
  PM_ASSIGN(std::vector<v1::Job> jobs, leaving_jobs(removal));
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    const Dependents dependents = removal.files_only ? Dependents() : dependents_of_all();
    for (const v1::Job& job : jobs) {
      PM_TRY(check_leaving(job, dependents));
      if (removal.age) PM_TRY(check_old(job, now - *removal.age));
      news.insert(job.id());
    }
    if (!removal.files_only) leaving_ = news;
  }
  v1::Removed removed;
  store::Transaction transaction(environment_.store);
  for (v1::Job& job : jobs) {
    const store::Dropped files =
        removal.files_only ? transaction.drop_files(job.id()) : transaction.drop_job(job.id(), now);
    removed.set_files(removed.files() + files.files);
    removed.set_bytes(removed.bytes() + files.bytes);
    if (!removal.files_only || files.files == 0) continue;
    *job.mutable_files_remove_time() = to_timestamp(now);
    transaction.update_ended_job(job);
  }
  if (!removal.sweep.empty()) {
    transaction.drop_sweep(removal.sweep);
    news.insert(removal.sweep);
  }
  const Status committed = commit(transaction, begin, 0);
  {
    const MutexLock lock(mutex_);
    leaving_.clear();
    files_moved_ = true;
  }
  PM_TRY(committed);
  if (removal.files_only) return removed;
  removed.set_jobs(static_cast<int>(jobs.size()));
  leftovers_ = true;
  return removed;
}

// As the store has them, by their ids alone. NOT_FOUND.
Result<std::vector<v1::Job>> Coordinator::leaving_jobs(const Removal& removal) {
  if (!removal.sweep.empty()) return reader().trials(removal.sweep);
  std::vector<v1::Job> jobs;
  for (const std::string& id : removal.jobs) {
    PM_ASSIGN(auto job, reader().job(id));
    if (!job) return not_found("no job has the id \"" + id + "\"");
    jobs.push_back(*std::move(job));
  }
  return jobs;
}

Status Coordinator::check_leaving(const v1::Job& job, const Dependents& dependents) {
  if (live_.jobs.contains(job.id()) || !has_ended(job.state())) {
    const auto live = live_.jobs.find(job.id());
    const auto state = live == live_.jobs.end() ? job.state() : live->second.record.job.state();
    return failed_precondition(fmt::format(
        "job {} is {}; allowed: once it has ended and that is written, as after a cancel",
        name_of(job), state_name(state)));
  }
  if (job.pinned()) {
    return failed_precondition(
        fmt::format("job {} is pinned; allowed: after pmt unpin", name_of(job)));
  }
  if (live_.sweeps.contains(job.sweep_id())) {
    return failed_precondition(
        fmt::format("job {} is a trial of sweep {}, which goes on; allowed: once it has ended",
                    name_of(job), job.sweep_id()));
  }
  const auto dependent = dependents.find(job.id());
  if (dependent == dependents.end()) return {};
  return failed_precondition(fmt::format("{} comes after job {}; allowed: once that has ended",
                                         dependent->second, name_of(job)));
}

// The clock may have been set since it was found to be.
Status Coordinator::check_old(const v1::Job& job, WallTime before) {
  if (from_timestamp(job.end_time()) < before) return {};
  return failed_precondition("job " + name_of(job) + " is not old");
}

// By the id of each job that something comes after which has not ended: what that is.
Coordinator::Dependents Coordinator::dependents_of_all() {
  Dependents dependents;
  for (const auto& [id, sweep] : live_.sweeps) {  // which may begin more trials
    for (const std::string& first : sweep.shown.spec().after()) {
      dependents[first] = fmt::format("sweep {} ({})", id, sweep.shown.name());
    }
  }
  for (const auto& [id, job] : live_.jobs) {
    for (const std::string& first : job.record.job.spec().after()) {
      dependents[first] = "job " + name_of(job.record.job);
    }
  }
  return dependents;
}

// `what` is a job or sweep.
void Coordinator::log_removed(const std::string& what, const v1::Removed& removed, bool for_age) {
  if (removed.jobs() == 0 && removed.files() == 0) return;
  spdlog::info("{}{} removed, {} files of {} bytes{}", removed.jobs() == 0 ? "of " : "", what,
               removed.files(), removed.bytes(), for_age ? ": it is old" : "");
}

// A job that has not ended is written with what else changes of it.
Result<v1::Job> Coordinator::pin_job(const std::string& id_or_name, bool pinned) {
  PM_ASSIGN(const v1::Job job, find_job(reader(), id_or_name));
  bool noted = false;
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    const auto found = live_.jobs.find(job.id());
    if (found != live_.jobs.end() && !has_ended(found->second.record.job.state())) {
      found->second.record.job.set_pinned(pinned);
      journal_.job_changed(job.id());
      noted = true;
    }
    batch = journal_.number();
  }
  PM_TRY(make_durable(batch));
  if (!noted) PM_TRY(write_pin(job.id(), pinned));
  subscriptions_.notify({job.id()});
  return find_job(reader(), job.id());
}

Status Coordinator::write_pin(const std::string& id, bool pinned) {
  const MutexLock writing(write_mutex_);
  PM_TRY(failure());
  const MonotonicTime begin = environment_.clock.monotonic();
  PM_ASSIGN(auto jobs, leaving_jobs({.jobs = {id}}));
  jobs.front().set_pinned(pinned);
  store::Transaction transaction(environment_.store);
  transaction.update_ended_job(jobs.front());
  return commit(transaction, begin, 0);
}

}  // namespace prefixmem
