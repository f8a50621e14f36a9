// What the gang's thread and others do with an attempt. attempt_relay.cc sends what it produces.
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

Attempt::Attempt(Assignment assignment, const AttemptWorld& world, AttemptHost& host)
    : assignment_(std::move(assignment)),
      world_(world),
      host_(host),
      began_(world.clock.monotonic()) {}

Attempt::~Attempt() {
  transfers_.request_stop();
  wake_relay();
  if (relay_.joinable()) relay_.join();
  if (!setup_) return;
  const Status removed = setup_->folder.remove();
  if (!removed.ok()) spdlog::warn("{}: {}", key().text(), removed.message());
}

void Attempt::stop(StopKind kind, const std::string& reason, std::optional<Millis> grace) {
  {
    const MutexLock lock(mutex_);
    if (!stop_kind_ || kind == StopKind::kAbandon) {
      stop_kind_ = kind;
      stop_reason_ = reason;
    }
  }
  starting_.request_stop();
  if (kind == StopKind::kAbandon) transfers_.request_stop();
  host_.stop(*this, grace.value_or(grace_of(kind, world_.options)));
  wake_relay();
}

bool Attempt::fetches() const {
  return assignment_.resume_from || assignment_.resume_metrics ||
         !world_.inputs.at_hand(assignment_.spec_yaml);
}

Status Attempt::prepare() {
  PM_ASSIGN(setup_, set_up_trial(assignment_, world_, starting_.get_token()));
  world_.metrics.begin({key().job_id, assignment_.job_name, spec().method});
  measured_ = true;
  PM_ASSIGN(Spool spool, Spool::create(setup_->folder.spool()));
  {
    const MutexLock lock(mutex_);
    spool_ = std::move(spool);
  }
  for (const LogEvent& warning : setup_->warnings) PM_TRY(on_event(warning));
  relay_ = std::thread([this] { relay(); });
  return {};
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
    const auto bytes = fs::file_size(setup_->folder.out() / name, error);
    if (!error) {
      PM_TRY(on_event(ArtifactEvent{kind, name, last_step_, static_cast<int64_t>(bytes), 0}));
    } else if (kind == Kind::kResult) {
      return internal_error("the trainer ended well but left no result.json");
    }
  }
  return {};
}

void Attempt::close(AttemptEnd end, bool held) {
  if (closed()) return;
  if (end.status.ok()) end.status = guarded([this] { return add_outputs(); });
  {
    const MutexLock lock(mutex_);
    closing_ = std::move(end);
    held_ = held;
  }
  if (relay_.joinable()) return wake_relay();
  this->end();
}

void Attempt::release() {
  {
    const MutexLock lock(mutex_);
    held_ = false;
  }
  host_.changed();
}

bool Attempt::closed() const {
  const MutexLock lock(mutex_);
  return closing_.has_value();
}

std::optional<AttemptReport> Attempt::next_report() {
  const MutexLock lock(mutex_);
  if (stop_kind_ == StopKind::kAbandon) return std::nullopt;
  if (spool_ && !spool_failed_) {
    auto batch = spool_->take_batch();
    if (!batch.ok()) fail_spool(batch.status());
    if (batch.ok() && !batch->events.empty()) return AttemptReport{key(), std::move(*batch)};
  }
  const bool told_all = !spool_ || spool_failed_ || spool_->empty();
  if (!end_ || held_ || end_told_ || !told_all) return std::nullopt;
  end_told_ = true;
  return AttemptReport{key(), *end_};
}

void Attempt::rewind() {
  const MutexLock lock(mutex_);
  if (spool_) spool_->rewind();
  end_told_ = false;
}

void Attempt::acknowledge_events(int64_t up_to) {
  {
    const MutexLock lock(mutex_);
    if (!spool_) return;
    if (const Status status = spool_->acknowledge(up_to); !status.ok()) fail_spool(status);
  }
  wake_relay();
  host_.changed();
}

void Attempt::acknowledge_end() {
  {
    const MutexLock lock(mutex_);
    end_acknowledged_ = end_.has_value();
  }
  host_.changed();
}

bool Attempt::finished() const {
  const MutexLock lock(mutex_);
  return end_ && !held_ && (end_acknowledged_ || stop_kind_ == StopKind::kAbandon);
}

int64_t Attempt::spooled() const {
  const MutexLock lock(mutex_);
  return spool_ ? spool_->depth() : 0;
}

}  // namespace prefixmem::agent
