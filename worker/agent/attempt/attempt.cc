// The body of an attempt: folder, gang, end. attempt_relay.cc sends what it produces.
#include "worker/agent/attempt/attempt.h"

#include <utility>

#include "common/files.h"
#include "common/guarded.h"
#include "common/log.h"
#include "worker/agent/transfer/retry.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

Millis grace_of(StopKind kind, const AttemptOptions& options) {
  switch (kind) {
    case StopKind::kCancel:
      return options.cancel_grace;
    case StopKind::kShutDown:
      return options.shut_down_grace;
    case StopKind::kAbandon:
      break;
  }
  return Millis(0);
}

}  // namespace

Attempt::Attempt(Assignment assignment, std::vector<std::string> gpus, const AttemptWorld& world,
                 std::function<void()> changed)
    : assignment_(std::move(assignment)),
      gpus_(std::move(gpus)),
      world_(world),
      changed_(std::move(changed)),
      body_([this] { live(); }) {}

Attempt::~Attempt() {
  stop(StopKind::kAbandon, "the worker agent ends");
  body_.join();
  if (!folder_) return;
  const Status removed = folder_->remove();
  if (!removed.ok()) spdlog::warn("{}: {}", key().text(), removed.message());
}

void Attempt::stop(StopKind kind, const std::string& reason) {
  {
    const MutexLock lock(mutex_);
    if (!stop_kind_ || kind == StopKind::kAbandon) {
      stop_kind_ = kind;
      stop_reason_ = reason;
    }
  }
  starting_.request_stop();
  if (kind == StopKind::kAbandon) transfers_.request_stop();
  stop_.request(grace_of(kind, world_.options));
  wake_relay();
}

void Attempt::live() {
  Status status = guarded([this] { return prepare(); });
  if (status.ok()) status = guarded([this] { return run_and_relay(); });
  end_with(conclude(status));
}

Status Attempt::run_and_relay() {
  std::thread relay([this] { this->relay(); });
  Status status = guarded([this] { return run(); });
  {
    const MutexLock lock(mutex_);
    gang_gone_ = true;
  }
  wake_relay();
  relay.join();
  return status;
}

Status Attempt::prepare() {
  PM_TRY(check(assignment_));
  const AttemptOptions& options = world_.options;
  PM_ASSIGN(spec_, localize_spec(assignment_.spec_yaml, options.device, options.threads_per_rank));
  world_.metrics.begin({key().job_id, assignment_.job_name, spec_.method});
  measured_ = true;
  PM_ASSIGN(folder_, AttemptFolder::create(options.work_dir, key()));
  PM_TRY(write_file_atomic(folder_->spec(), spec_.yaml));
  PM_TRY(fetch(assignment_.resume_from));
  PM_TRY(fetch(assignment_.resume_metrics));
  PM_ASSIGN(Spool spool, Spool::create(folder_->spool()));
  const MutexLock lock(mutex_);
  spool_ = std::move(spool);
  return {};
}

Status Attempt::fetch(const std::optional<Artifact>& artifact) {
  if (!artifact) return {};
  const fs::path file = folder_->out() / artifact->path;
  PM_TRY(make_folders(file.parent_path()));
  const auto stop = starting_.get_token();
  return retry_while_unavailable(world_.options.transfer_backoff, stop, [&] {
    return world_.store.fetch(key().job_id, *artifact, file, stop);
  });
}

Status Attempt::run() {
  if (starting_.stop_requested()) return cancelled("stopped before the start");
  GangPlan plan;
  plan.command = trainer_command(world_.options.programs, *folder_, ranks(),
                                 spec_.uses_gpu ? gpus_ : std::vector<std::string>());
  plan.socket = folder_->socket();
  plan.output_file = folder_->output_file();
  plan.mark = folder_->mark();
  GangEnd end =
      run_gang(plan, world_.gang, stop_, [this](const Event& event) { return on_event(event); });
  stderr_tail_ = std::move(end.output_tail);
  PM_TRY(explain_end(end));
  return add_outputs();
}

Status Attempt::on_event(const Event& event) {
  if (const auto* step = std::get_if<StepEvent>(&event)) last_step_ = step->step;
  world_.metrics.observe(key().job_id, event);
  {
    const MutexLock lock(mutex_);
    PM_TRY(spool_->append(world_.clock.wall(), event));
  }
  wake_relay();
  return {};
}

// The trainer names checkpoints and adapter itself; what it writes to the end is named here.
Status Attempt::add_outputs() {
  using Kind = ArtifactEvent::Kind;
  for (const auto& [kind, name] :
       {std::pair(Kind::kMetrics, kMetricsFile), std::pair(Kind::kResult, "result.json")}) {
    std::error_code error;
    const auto bytes = fs::file_size(folder_->out() / name, error);
    if (!error) {
      PM_TRY(on_event(ArtifactEvent{kind, name, last_step_, static_cast<int64_t>(bytes), 0}));
    } else if (kind == Kind::kResult) {
      return internal_error("the trainer ended well but left no result.json");
    }
  }
  return {};
}

Status Attempt::conclude(const Status& gang) const {
  const MutexLock lock(mutex_);
  if (!failure_.ok()) return failure_;
  if (gang.ok() || !stop_kind_) return gang;
  return *stop_kind_ == StopKind::kCancel ? cancelled(stop_reason_) : unavailable(stop_reason_);
}

void Attempt::end_with(Status status) {
  if (measured_) world_.metrics.end(key().job_id);
  spdlog::info("{} ended: {}", key().text(), status.to_string());
  {
    const MutexLock lock(mutex_);
    gang_gone_ = true;
    end_ = AttemptEnd{std::move(status), stderr_tail_};
    if (end_->status.ok()) end_->stderr_tail.clear();
  }
  changed_();
}

}  // namespace prefixmem::agent
