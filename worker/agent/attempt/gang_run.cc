#include "worker/agent/attempt/gang_run.h"

#include <algorithm>
#include <utility>

#include "common/files.h"
#include "common/guarded.h"
#include "common/log.h"

namespace prefixmem::agent {
namespace {

// For members to end what is left on them: longer than the coordinator's usual lease, after which
// it says that one is lost.
constexpr Millis kPartingPatience{20000};

}  // namespace

GangRun::GangRun(GangAssignment assignment, std::vector<std::string> gpus,
                 const AttemptWorld& world, std::function<void()> changed)
    : name_(std::move(assignment.gang)),
      ranks_(assignment.ranks_here()),
      memory_(assignment.memory_here()),
      hosts_(std::move(assignment.hosts)),
      head_(hosts_.empty()
                ? nullptr
                : std::make_unique<Head>(assignment.attempts.front().key, hosts_, changed)),
      gpus_(std::move(gpus)),
      world_(world),
      changed_(std::move(changed)) {
  {
    const MutexLock lock(mutex_);
    for (Assignment& one : assignment.attempts) add(std::move(one));
  }
  body_ = std::thread([this] { live(); });
}

GangRun::~GangRun() {
  for (Attempt* attempt : attempts()) {
    attempt->stop(StopKind::kAbandon, "the worker agent ends");
  }
  body_.join();
  std::vector<std::unique_ptr<Attempt>> ended;  // their threads may still call this
  {
    const MutexLock lock(mutex_);
    ended = std::exchange(attempts_, {});
  }
  ended.clear();
  if (!folder_) return;
  const Status removed = folder_->remove();
  if (!removed.ok()) spdlog::warn("{}: {}", folder_->path().string(), removed.message());
}

Attempt* GangRun::add(Assignment assignment) {
  AttemptHost& host = *this;
  attempts_.push_back(std::make_unique<Attempt>(std::move(assignment), world_, host));
  Attempt* const added = attempts_.back().get();
  waiting_.push_back(added);
  open_[added];
  return added;
}

Attempt* GangRun::join(const Assignment& assignment) {
  Attempt* joined = nullptr;
  {
    const MutexLock lock(mutex_);
    if (name_.empty() || gone_) return nullptr;
    joined = add(assignment);
    if (stop_) stop_->knock();
  }
  // An end that was held back for the slots: they are the joined one's now.
  for (Attempt* attempt : attempts()) {
    if (attempt->closed()) attempt->release();
  }
  return joined;
}

std::vector<Attempt*> GangRun::attempts() const {
  const MutexLock lock(mutex_);
  std::vector<Attempt*> all;
  for (const auto& attempt : attempts_) all.push_back(attempt.get());
  return all;
}

bool GangRun::holds_slots() const {
  const MutexLock lock(mutex_);
  return !gone_;
}

void GangRun::stop(const Attempt& attempt, Millis grace) {
  note_stop(attempt, grace);
  if (head_) head_->nudge();
}

void GangRun::note_stop(const Attempt& attempt, Millis grace) {
  const MonotonicTime now = real_clock().monotonic();
  const MutexLock lock(mutex_);
  const auto part = open_.find(&attempt);
  if (part == open_.end()) return;
  auto& [trial, leave_by] = part->second;
  leave_by = std::min(leave_by.value_or(now + grace), now + grace);
  if (!trial) return;  // muster() leaves it out
  if (!stop_where_all_leave()) stop_->request_trial(*trial, grace);
}

// When the last of them is due.
bool GangRun::stop_where_all_leave() {
  const MonotonicTime now = real_clock().monotonic();
  MonotonicTime last = now;
  for (const auto& [attempt, part] : open_) {
    if (!part.leave_by) return false;
    last = std::max(last, *part.leave_by);
  }
  if (open_.empty() || !stop_) return false;
  stop_->request(last - now);
  return true;
}

void GangRun::live() {
  while (StopRequest* const stop = next_round()) {
    close_round(guarded([&] { return run(*stop); }));
  }
  for (Attempt* attempt : attempts()) attempt->release();
}

StopRequest* GangRun::next_round() {
  trials_.clear();
  stderr_tail_.clear();
  const MutexLock lock(mutex_);
  for (auto& [attempt, part] : open_) part.trial.reset();
  gone_ = waiting_.empty() && unheard_.empty();
  if (gone_) return nullptr;
  stop_ = std::make_unique<StopRequest>();
  return stop_.get();
}

Status GangRun::run(StopRequest& stop) {
  for (Attempt* attempt : std::exchange(unheard_, {})) place(*attempt);
  muster(false);
  if (trials_.empty()) return {};
  PM_ASSIGN(const GangPlan gang, plan());
  const GangListener listener{.on_event =
                                  [this](const TrialEvent& event) {
                                    on_event(event);
                                    return Status();
                                  },
                              .on_hang = [this](const std::optional<Hang>& hang) { on_hang(hang); },
                              .take_joining = [this] { return take_joining(); }};
  GangEnd end = hosts_.empty() ? run_gang(gang, world_.gang, stop, listener)
                               : run_on_all(gang, stop, listener);
  stderr_tail_ = std::move(end.output_tail);
  PM_TRY(explain_end(end));
  if (!bank_) return {};
  return internal_error("the gang ended well but told no end of this trial");
}

// Where mpirun tells no cause of its own, what became of a member is the cause.
GangEnd GangRun::run_on_all(const GangPlan& plan, StopRequest& stop, const GangListener& listener) {
  const Attempt& attempt = *trials_.front();
  const auto stopped = [&] { return stop.kill_at().has_value(); };
  GangListener with_others = listener;
  with_others.hears_other_hosts = [&] { return head_->hears_members(); };
  GangEnd end;
  end.trouble = head_->wait_until_ready(stopped);
  if (end.trouble.ok() && stopped()) end.trouble = cancelled("stopped before the start");
  if (end.trouble.ok()) end.trouble = head_->open({plan.socket, folder_->requests()});
  if (end.trouble.ok()) end = run_gang(plan, world_.gang, stop, with_others);
  const Status parted = head_->part(kPartingPatience, [&] { return attempt.abandoned(); });
  const bool failed = end.exit.code != 0 || end.exit.signal != 0;
  if (!parted.ok()) spdlog::warn("{}: {}", attempt.key().text(), parted.message());
  if (end.trouble.ok() && failed && !end.failure) end.trouble = parted;
  return end;
}

void GangRun::on_note(Note note) {
  if (head_) head_->on_note(std::move(note));
}

std::optional<Note> GangRun::next_note() { return head_ ? head_->next_note() : std::nullopt; }

void GangRun::rewind() {
  if (head_) head_->rewind();
}

void GangRun::muster(bool running) {
  std::vector<Attempt*> arrived;
  {
    const MutexLock lock(mutex_);
    for (Attempt* attempt : std::exchange(waiting_, {})) {
      (running && attempt->fetches() ? waiting_ : arrived).push_back(attempt);
    }
  }
  for (Attempt* attempt : arrived) {
    Status status = guarded([&] { return attempt->prepare(); });
    if (status.ok()) {
      place(*attempt);
    } else {
      close(*attempt, {std::move(status), ""});
    }
  }
}

void GangRun::place(Attempt& attempt) {
  if (attempt.closed()) return;
  if (takes_part(attempt, static_cast<int>(trials_.size()))) {
    trials_.push_back(&attempt);
  } else {
    close(attempt, {cancelled("stopped before the start"), ""});
  }
}

bool GangRun::takes_part(const Attempt& attempt, int trial) {
  const MutexLock lock(mutex_);
  Part& part = open_.at(&attempt);
  if (part.leave_by) return false;
  part.trial = trial;
  return true;
}

Result<GangPlan> GangRun::plan() {
  if (ranks_ < 1) {
    return invalid_argument("ranks is " + std::to_string(ranks_) + "; allowed: at least 1");
  }
  bank_ = !name_.empty() || trials_.size() > 1;
  if (folder_) PM_TRY(folder_->remove());
  PM_ASSIGN(folder_, GangFolder::create(world_.options.work_dir, trials_.front()->key()));
  std::vector<TrialFiles> files;
  for (const Attempt* trial : trials_) files.push_back(trial->files());
  if (bank_) PM_TRY(write_file_atomic(folder_->bank(), bank_file(files)));
  const bool uses_gpu = trials_.front()->spec().uses_gpu;
  const HostShare share{uses_gpu ? gpus_ : std::vector<std::string>(), memory_};
  const TrainerPrograms& programs = world_.options.programs;
  GangPlan gang;
  if (hosts_.empty()) {
    gang.command = trainer_command(programs, *folder_, ranks_,
                                   bank_ ? std::nullopt : std::optional(files.front()), share);
  } else {
    if (programs.rsh.empty()) {
      return failed_precondition("worker " + hosts_.front().worker +
                                 " has no pmt-rsh beside its pmt-worker, which a gang over "
                                 "several hosts needs; install it there");
    }
    PM_TRY(link_program(programs.trainer, folder_->trainer()));
    PM_TRY(link_program(programs.rsh, folder_->rsh()));
    gang.command = head_command(programs, *folder_, hosts_, files.front(), share);
  }
  if (world_.options.job_user) {
    PM_TRY(give(folder_->run(), *world_.options.job_user));
    gang.command.folder = folder_->path();  // it may enter this one
  }
  gang.socket = folder_->socket();
  gang.output_file = folder_->output_file();
  gang.mark = folder_->mark();
  gang.trials = bank_ ? static_cast<int>(trials_.size()) : 0;
  return gang;
}

// Nobody comes into a gang that is to stop: who waits has the next one.
std::vector<std::string> GangRun::take_joining() {
  {
    const MutexLock lock(mutex_);
    if (waiting_.empty() || stop_->kill_at()) return {};
  }
  const size_t before = trials_.size();
  muster(true);
  std::vector<std::string> lines;
  for (size_t i = before; i < trials_.size(); ++i) {
    unheard_.push_back(trials_[i]);
    lines.push_back(join_line(trials_[i]->files()));
  }
  return lines;
}

// What concerns the whole gang is told to every trial that trains.
void GangRun::on_event(const TrialEvent& event) {
  if (event.trial == TrialEvent::kWholeGang) {
    for (Attempt* trial : trials_) {
      if (!is_unheard(trial)) tell(*trial, event.event);
    }
  } else if (bank_ && static_cast<size_t>(event.trial) < trials_.size()) {
    Attempt* const trial = trials_[static_cast<size_t>(event.trial)];
    std::erase(unheard_, trial);
    take(*trial, event.event);
  } else {
    spdlog::warn("{}: an event of trial {}, which is not in the gang", folder_->path().string(),
                 event.trial);
  }
}

bool GangRun::is_unheard(const Attempt* trial) const {
  return std::find(unheard_.begin(), unheard_.end(), trial) != unheard_.end();
}

void GangRun::on_hang(const std::optional<Hang>& hang) {
  std::vector<HangingRank> ranks;
  if (hang && hang->absent.empty()) ranks.push_back({"all", world_.gang.host, hang->call.name});
  for (const auto& absent : hang ? hang->absent : std::vector<Hang::Absent>()) {
    const std::string& host = absent.home.host;
    ranks.push_back(
        {std::to_string(absent.rank), host.empty() ? world_.gang.host : host, hang->call.name});
  }
  for (const Attempt* trial : trials_) world_.metrics.set_hanging(trial->key().job_id, ranks);
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

// The last one's end frees the slots, so it waits for the gang's. Asked after closing: an attempt
// that joins meanwhile lets go of all that are closed.
void GangRun::close(Attempt& attempt, AttemptEnd end) {
  attempt.close(std::move(end), true);
  const std::vector<Attempt*> all = attempts();
  const bool last = std::none_of(all.begin(), all.end(), [&](const Attempt* other) {
    return other != &attempt && !other->closed() && !other->abandoned();
  });
  if (!last) attempt.release();
  const MutexLock lock(mutex_);
  open_.erase(&attempt);
  stop_where_all_leave();
}

void GangRun::close_round(const Status& status) {
  const bool shared = trials_.size() - unheard_.size() > 1;
  for (Attempt* trial : trials_) {
    if (trial->closed() || is_unheard(trial)) continue;
    close(*trial, {status, stderr_tail_, shared && !status.ok()});
  }
}

}  // namespace prefixmem::agent
