#include "worker/trainer/train/bank.h"

#include <algorithm>
#include <utility>

#include "common/spec/spec_io.h"
#include "worker/trainer/train/joint_step.h"
#include "worker/trainer/train/memory.h"
#include "worker/trainer/train/output.h"
#include "worker/trainer/train/report.h"
#include "worker/trainer/train/stop_signal.h"
#include "worker/trainer/train/trial_end.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kStepsBetweenMemoryReadings = 16;

Result<TrialSpec> read_spec(const TrialFiles& files) {
  PM_ASSIGN(JobSpec spec, load_job_spec(files.spec));
  if (spec.sweep) {
    return invalid_argument(
        "the spec has a sweep block, which the coordinator expands into jobs; submit it with pmt, "
        "or give the trainer one trial");
  }
  std::string portable = to_yaml(spec);
  if (!files.portable.empty()) {
    PM_ASSIGN(const JobSpec same, load_job_spec(files.portable));
    portable = to_yaml(same);
  }
  return TrialSpec{std::move(spec), std::move(portable)};
}

}  // namespace

Bank::Bank(Base& base, const std::vector<TrialFiles>& files, bool open) : base_(base), open_(open) {
  for (const TrialFiles& trial : files) add(trial);
}

void Bank::add(const TrialFiles& files) {
  const int index = open_ ? static_cast<int>(trials_.size()) : TrialEvent::kWholeGang;
  trials_.push_back(
      std::make_unique<Trial>(Trial{Session(base_, index, files), read_spec(files), nullptr, {}}));
}

Device Bank::device() const {
  for (const auto& trial : trials_) {
    if (trial->spec.ok()) return trial->spec->local.resources.device;
  }
  return Device::kCpu;
}

Status Bank::run() {
  PM_TRY(each([this](Trial& trial) { return admit(trial); }));
  if (running().empty()) return {};
  PM_TRY(load_base(base_, running().front()->session.spec));
  PM_TRY(each([this](Trial& trial) { return load(trial); }));
  while (true) {
    PM_TRY(each([this](Trial& trial) { return prepare(trial); }));
    const auto trials = running();
    if (trials.empty() && !open_) return {};
    PM_ASSIGN(const bool joined, step(trials));
    if (trials.empty() && !joined) return {};
  }
}

std::vector<Bank::Trial*> Bank::running() const {
  std::vector<Trial*> trials;
  for (const auto& trial : trials_) {
    if (!trial->end) trials.push_back(trial.get());
  }
  return trials;
}

Status Bank::each(const std::function<Status(Trial&)>& work) {
  for (Trial* trial : running()) PM_TRY(settle(*trial, work(*trial)));
  return {};
}

Status Bank::admit(Trial& trial) const {
  Session& session = trial.session;
  PM_TRY(session.agree(trial.spec.status()));
  session.spec = std::move(trial.spec->local);
  session.portable_yaml = std::move(trial.spec->portable_yaml);
  PM_TRY(session.agree(check_method(session.spec, !open_)));
  PM_TRY(session.agree(session.leads() ? prepare_output(session.files.out, session.files.resume)
                                       : Status()));
  return session.emit(PhaseEvent{});
}

Status Bank::load(Trial& trial) {
  Session& session = trial.session;
  PM_TRY(session.together(check_base(base_, session.spec)));
  PM_TRY(load_session(session));
  auto loop = std::make_unique<TrainingLoop>(session);
  PM_TRY(loop->start());
  trial.loop = std::move(loop);
  return {};
}

Status Bank::prepare(Trial& trial) {
  PM_ASSIGN(const bool goes_on, trial.loop->prepare());
  if (trial.loop->is_best()) PM_TRY(save_best(*trial.loop, trial.session));
  if (goes_on) return {};
  PM_TRY(save_outputs(*trial.loop, trial.session));
  end(trial, {});
  return {};
}

Result<bool> Bank::step(const std::vector<Trial*>& trials) {
  std::vector<Trainer*> trainers;
  for (Trial* trial : trials) trainers.push_back(&trial->loop->trainer());
  std::vector<Result<StepEvent>> made;
  if (!trials.empty()) {
    PM_ASSIGN(made, step_together(*base_.model, trainers));
  }
  PM_ASSIGN(const Votes votes, vote(trials));
  for (size_t i = 0; i < trials.size(); ++i) {
    Trial& trial = *trials[i];
    PM_TRY(settle(trial, finish(trial, std::move(made[i]), votes.stops[i], votes.resident_bytes)));
  }
  if (votes.join) PM_TRY(join());
  return votes.join;
}

Status Bank::join() {
  add(base_.requests.joining(joined_++));
  Trial& trial = *trials_.back();
  PM_TRY(settle(trial, admit(trial)));
  return trial.end ? Status() : settle(trial, load(trial));
}

Result<Bank::Votes> Bank::vote(const std::vector<Trial*>& trials) {
  if (steps_++ % kStepsBetweenMemoryReadings == 0) own_bytes_ = proportional_bytes();
  std::vector<double> sums = {stop_requested() ? 1.0 : 0.0, static_cast<double>(own_bytes_),
                              open_ && base_.requests.joining() > joined_ ? 1.0 : 0.0};
  for (const Trial* trial : trials) {
    sums.push_back(base_.requests.stop_asked(trial->session.trial) ? 1 : 0);
  }
  PM_TRY(base_.gang->all_reduce_sum(sums));
  const bool known = sums[2] == static_cast<double>(base_.gang->size());
  Votes votes{static_cast<int64_t>(sums[1]), {}, sums[0] == 0 && known};
  for (size_t i = 0; i < trials.size(); ++i) {
    const Stop own = sums[3 + i] > 0 ? Stop::kRequest : Stop::kNo;
    votes.stops.push_back(sums[0] > 0 ? Stop::kSignal : own);
  }
  return votes;
}

Status Bank::finish(Trial& trial, Result<StepEvent> made, Stop stop, int64_t resident_bytes) const {
  if (made.status().code() == Code::kFailedPrecondition) {  // a value that is not finite
    PM_TRY(trial.session.emit(trial.loop->trainer().last_step()));
    return trial.session.together(made.status());
  }
  PM_ASSIGN(StepEvent event, std::move(made));
  event.resident_bytes = resident_bytes;
  event.device_bytes = device_bytes(base_.gang->device());
  event.device_utilization = device_utilization(base_.gang->device());
  return trial.loop->finish(event, stop);
}

Status Bank::settle(Trial& trial, const Status& status) {
  if (status.ok()) return {};
  const Session& session = trial.session;
  if (!session.agreement.failed_together()) return status;
  if (session.leads()) {
    if (trial.loop) PM_TRY(save_failure(status, *trial.loop, session));
    report_failure(base_.sink.get(), session.trial, {0, status}, false);
  }
  end(trial, status);
  return {};
}

void Bank::end(Trial& trial, const Status& status) {
  trial.end = status;
  trial.loop.reset();
  trial.session.adapter.reset();
  trial.session.train_reference.reset();
  trial.session.eval_reference.reset();
  trial.session.data.reset();
}

}  // namespace prefixmem::trainer
