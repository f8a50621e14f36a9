#include "worker/agent/attempt/gang_run.h"

#include <algorithm>
#include <utility>

#include "common/files.h"
#include "common/guarded.h"
#include "common/log.h"

namespace prefixmem::agent {

GangRun::GangRun(GangAssignment assignment, std::vector<std::string> gpus,
                 const AttemptWorld& world, std::function<void()> changed)
    : ranks_(assignment.ranks),
      gpus_(std::move(gpus)),
      world_(world),
      changed_(std::move(changed)) {
  AttemptHost& host = *this;
  for (Assignment& one : assignment.attempts) {
    attempts_.push_back(std::make_unique<Attempt>(std::move(one), world_, host));
    open_[attempts_.back().get()];
  }
  body_ = std::thread([this] { live(); });
}

GangRun::~GangRun() {
  for (const auto& attempt : attempts_) {
    attempt->stop(StopKind::kAbandon, "the worker agent ends");
  }
  body_.join();
  attempts_.clear();
  if (!folder_) return;
  const Status removed = folder_->remove();
  if (!removed.ok()) spdlog::warn("{}: {}", folder_->path().string(), removed.message());
}

bool GangRun::holds_slots() const {
  const MutexLock lock(mutex_);
  return !gone_;
}

void GangRun::stop(const Attempt& attempt, Millis grace) {
  const MonotonicTime now = real_clock().monotonic();
  const MutexLock lock(mutex_);
  const auto member = open_.find(&attempt);
  if (member == open_.end()) return;
  auto& [trial, leave_by] = member->second;
  leave_by = std::min(leave_by.value_or(now + grace), now + grace);
  if (!trial) return;  // muster() leaves it out
  if (!stop_where_all_leave()) stop_.request_trial(*trial, grace);
}

// When the last of them is due.
bool GangRun::stop_where_all_leave() {
  const MonotonicTime now = real_clock().monotonic();
  MonotonicTime last = now;
  for (const auto& [attempt, member] : open_) {
    if (!member.leave_by || !member.trial) return false;
    last = std::max(last, *member.leave_by);
  }
  if (!open_.empty()) stop_.request(last - now);
  return !open_.empty();
}

void GangRun::live() {
  prepare();
  close_all(guarded([this] { return run(); }));
  {
    const MutexLock lock(mutex_);
    gone_ = true;
  }
  for (const auto& attempt : attempts_) attempt->release();
}

void GangRun::prepare() {
  for (const auto& attempt : attempts_) {
    Status status = guarded([&] { return attempt->prepare(); });
    if (!status.ok()) close(*attempt, {std::move(status), ""});
  }
}

std::vector<Attempt*> GangRun::muster() {
  std::vector<Attempt*> trials;
  for (const auto& attempt : attempts_) {
    if (attempt->closed()) continue;
    if (takes_part(*attempt, static_cast<int>(trials.size()))) {
      trials.push_back(attempt.get());
    } else {
      close(*attempt, {cancelled("stopped before the start"), ""});
    }
  }
  return trials;
}

bool GangRun::takes_part(const Attempt& attempt, int trial) {
  const MutexLock lock(mutex_);
  Member& member = open_.at(&attempt);
  if (member.leave_by) return false;
  member.trial = trial;
  return true;
}

Status GangRun::run() {
  const std::vector<Attempt*> trials = muster();
  if (trials.empty()) return {};
  PM_ASSIGN(const GangPlan gang, plan(trials));
  const GangListener listener{
      .on_event =
          [&](const TrialEvent& event) {
            on_event(trials, event);
            return Status();
          },
      .on_hang = [&](const std::optional<Hang>& hang) { on_hang(trials, hang); }};
  GangEnd end = run_gang(gang, world_.gang, stop_, listener);
  stderr_tail_ = std::move(end.output_tail);
  PM_TRY(explain_end(end));
  if (!bank_) return {};
  return internal_error("the gang ended well but told no end of this trial");
}

Result<GangPlan> GangRun::plan(const std::vector<Attempt*>& trials) {
  if (ranks_ < 1) {
    return invalid_argument("ranks is " + std::to_string(ranks_) + "; allowed: at least 1");
  }
  bank_ = trials.size() > 1;
  PM_ASSIGN(folder_, GangFolder::create(world_.options.work_dir, trials.front()->key()));
  std::vector<TrialFiles> files;
  for (const Attempt* trial : trials) files.push_back(trial->files());
  if (bank_) PM_TRY(write_file_atomic(folder_->bank(), bank_file(files)));
  const bool uses_gpu = trials.front()->spec().uses_gpu;
  GangPlan gang;
  gang.command = trainer_command(world_.options.programs, *folder_, ranks_, files,
                                 uses_gpu ? gpus_ : std::vector<std::string>());
  gang.socket = folder_->socket();
  gang.output_file = folder_->output_file();
  gang.mark = folder_->mark();
  gang.trials = bank_ ? static_cast<int>(trials.size()) : 0;
  return gang;
}

// What concerns the whole gang is told to every trial that still trains.
void GangRun::on_event(const std::vector<Attempt*>& trials, const TrialEvent& event) {
  if (event.trial == TrialEvent::kWholeGang) {
    for (Attempt* trial : trials) tell(*trial, event.event);
  } else if (bank_ && static_cast<size_t>(event.trial) < trials.size()) {
    take(*trials.at(static_cast<size_t>(event.trial)), event.event);
  } else {
    spdlog::warn("{}: an event of trial {}, which is not in the gang", folder_->path().string(),
                 event.trial);
  }
}

void GangRun::on_hang(const std::vector<Attempt*>& trials, const std::optional<Hang>& hang) {
  std::vector<HangingRank> ranks;
  if (hang && hang->absent.empty()) ranks.push_back({"all", world_.gang.host, hang->call.name});
  for (const auto& absent : hang ? hang->absent : std::vector<Hang::Absent>()) {
    ranks.push_back({std::to_string(absent.rank), world_.gang.host, hang->call.name});
  }
  for (const Attempt* trial : trials) world_.metrics.set_hanging(trial->key().job_id, ranks);
}

void GangRun::take(Attempt& trial, const Event& event) {
  tell(trial, event);
  if (std::holds_alternative<ResultEvent>(event)) close(trial, {});
  if (const auto* failure = std::get_if<FailureEvent>(&event)) close(trial, {failure->status, ""});
}

void GangRun::tell(Attempt& attempt, const Event& event) {
  if (attempt.closed()) return;
  Status status = attempt.on_event(event);
  if (status.ok()) return;
  stop(attempt, Millis(0));
  close(attempt, {std::move(status), ""});
}

// The last one's end frees the slots, so it waits for the gang's.
void GangRun::close(Attempt& attempt, AttemptEnd end) {
  const bool held = std::none_of(attempts_.begin(), attempts_.end(), [&](const auto& other) {
    return other.get() != &attempt && !other->closed() && !other->abandoned();
  });
  attempt.close(std::move(end), held);
  const MutexLock lock(mutex_);
  open_.erase(&attempt);
  stop_where_all_leave();
}

void GangRun::close_all(const Status& status) {
  for (const auto& attempt : attempts_) {
    if (!attempt->closed()) close(*attempt, {status, stderr_tail_, bank_ && !status.ok()});
  }
}

}  // namespace prefixmem::agent
