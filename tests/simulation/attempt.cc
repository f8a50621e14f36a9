#include "tests/simulation/attempt.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/proto/timestamps.h"
#include "common/sha256.h"
#include "coordinator/core/content_files.h"
#include "coordinator/store/records.h"

namespace prefixmem::simulation {
namespace {

constexpr int64_t kMostInBatch = 256;
constexpr const char* kMetrics = "metrics.jsonl";
constexpr std::string_view kContinueFrom = " continue_from: ";

// In canonical YAML each of these keys stands once, on a line of its own.
int64_t number_after(const std::string& yaml, const std::string& key) {
  const size_t at = yaml.find(" " + key + ": ");
  int64_t number = 0;
  if (at == std::string::npos) return number;
  const char* const text = yaml.data() + at + key.size() + 3;
  std::from_chars(text, yaml.data() + yaml.size(), number);
  return number;
}

// As the RPC does with what is sent to it.
Status store_file(Coordinator& coordinator, const v1::AttemptId& id, const v1::Artifact& artifact,
                  const std::string& content, const std::string& state_digest) {
  PM_TRY(coordinator.may_upload(id, artifact));
  PM_ASSIGN(const auto blob, coordinator.blobs().begin());
  PM_TRY(blob->write(content));
  PM_TRY(blob->finish(artifact.sha256()));
  return coordinator.add_artifact(id, artifact, state_digest).status();
}

Result<std::string> fetch_file(Coordinator& coordinator, const std::string& job,
                               const std::string& sha256) {
  PM_ASSIGN(const auto artifact, coordinator.reader().artifact_by_digest(job, sha256));
  if (!artifact) return not_found("no artifact with sha256 " + sha256);
  PM_ASSIGN(const auto blob, coordinator.blobs().read(sha256));
  return blob->read(size_t{1} << 20);
}

std::string checkpoint_content(const std::string& job, int64_t step) {
  return fmt::format("weights of {} after step {}", job, step);
}

}  // namespace

Plan plan_of(const std::string& spec_yaml) {
  Plan plan{.steps = number_after(spec_yaml, "max_steps"),
            .checkpoint_every = number_after(spec_yaml, "checkpoint_every"),
            .eval_every = number_after(spec_yaml, "eval_every"),
            .keep_best = spec_yaml.find(" keep_best: true") != std::string::npos};
  const size_t at = spec_yaml.find(kContinueFrom);
  if (at == std::string::npos) return plan;
  const size_t begin = at + kContinueFrom.size();
  plan.from = spec_yaml.substr(begin, spec_yaml.find('\n', begin) - begin);
  std::erase(plan.from, '"');
  plan.first = step_of(plan.from);
  return plan;
}

int64_t step_of(const std::string& content) {
  int64_t step = 0;
  const size_t at = content.rfind('-') + 1;
  std::from_chars(content.data() + at, content.data() + content.size(), step);
  return step;
}

std::string state_digest_of(int64_t step) { return sha256_hex(std::to_string(step)); }

double loss_of(const std::string& job, int64_t step) {
  return static_cast<double>(random_bits({text_key(job)}) >> 11) * 0x1p-53 +
         1.0 / static_cast<double>(step);
}

int64_t best_step(const std::string& job, const Plan& plan, int64_t last) {
  int64_t best = 0;
  uint64_t least = 0;
  if (!plan.keep_best || plan.eval_every == 0) return best;
  for (int64_t step = plan.first + 1; step <= last; ++step) {
    if (step % plan.eval_every != 0) continue;
    const uint64_t value = random_bits({text_key(job), static_cast<uint64_t>(step)});
    if (best != 0 && value >= least) continue;
    best = step;
    least = value;
  }
  return best;
}

std::string best_adapter_path(int64_t step) { return fmt::format("best_adapter/step-{}", step); }

std::string best_adapter_of(const std::string& job, int64_t step) {
  return fmt::format("adapter of {} after step {}", job, step);
}

std::string metrics_of(int64_t first, int64_t steps) {
  std::string lines;
  for (int64_t step = first + 1; step <= steps; ++step)
    lines += fmt::format("{{\"step\": {}}}\n", step);
  return lines;
}

Attempt::Attempt(const v1::AssignedAttempt& assigned, Host& host)
    : host_(host),
      key_(assigned.id().job_id(), assigned.id().attempt()),
      plan_(plan_of(assigned.spec_yaml())),
      began_(host.world.timeline.now()),
      step_(plan_.first) {
  if (assigned.has_resume_from()) resume_from_ = assigned.resume_from();
  if (assigned.has_resume_metrics()) resume_metrics_ = assigned.resume_metrics();
  host_.world.ledger.attempts[key_] = {.worker = host_.worker};
}

v1::AttemptId Attempt::id() const {
  v1::AttemptId id;
  id.set_job_id(key_.first);
  id.set_attempt(key_.second);
  return id;
}

// A checkpoint is worth nothing without the metrics of the steps before it.
void Attempt::prepare(const std::function<void(const Status&)>& done) {
  if (!resume_from_) return prepare_first(done);
  auto metrics = std::make_shared<std::string>();
  host_.network.call_until_answered(
      [this, self = shared_from_this(), metrics](Coordinator& coordinator) {
        PM_ASSIGN(const std::string weights,
                  fetch_file(coordinator, key_.first, resume_from_->sha256()));
        if (weights != checkpoint_content(key_.first, resume_from_->step())) {
          return data_loss("the checkpoint is another one: " + weights);
        }
        if (!resume_metrics_) return Status();
        PM_ASSIGN(*metrics, fetch_file(coordinator, key_.first, resume_metrics_->sha256()));
        return Status();
      },
      [this, self = shared_from_this(), metrics, done](const Status& status) {
        if (!status.ok()) return done(status);
        if (host_.world.sabotage != Sabotage::kAgentStartsAnew) step_ = resume_from_->step();
        checkpointed_ = step_;
        best_ = best_step(key_.first, plan_, step_ - 1);
        if (!metrics->starts_with(metrics_of(plan_.first, step_))) {
          return done(data_loss("metrics of steps before the checkpoint are missing"));
        }
        done({});
      });
}

// From the checkpoint of another job, where there is one.
void Attempt::prepare_first(const std::function<void(const Status&)>& done) {
  if (plan_.from.empty()) return done({});
  host_.network.call_until_answered(
      [from = plan_.from, step = plan_.first](Coordinator& coordinator) {
        PM_ASSIGN(const auto files, content_files(coordinator.reader(), coordinator.blobs(), from));
        PM_ASSIGN(const auto blob, coordinator.blobs().read(files.front().sha256));
        PM_ASSIGN(const std::string weights, blob->read(size_t{1} << 20));
        if (weights.ends_with(fmt::format(" after step {}", step))) return Status();
        return data_loss("the checkpoint to go on from is another one: " + weights);
      },
      done);
}

// A checkpoint is written before the evaluation of its step, which whoever resumes does again.
void Attempt::begin_training() {
  v1::TrainerEvent event;
  event.mutable_phase()->set_phase("training");
  event.mutable_phase()->set_total_steps(plan_.steps);
  append(std::move(event));
  evaluate_if_due();
}

void Attempt::train_a_step() {
  ++step_;
  v1::TrainerEvent event;
  v1::StepEvent& step = *event.mutable_step();
  step.set_step(step_);
  step.set_total_steps(plan_.steps);
  step.set_loss(1.0 / static_cast<double>(step_));
  step.set_tokens(kTokensOfStep);
  step.set_step_seconds(1);
  append(std::move(event));
  const bool due = plan_.checkpoint_every > 0 && step_ % plan_.checkpoint_every == 0;
  if (due || finished_training()) write_checkpoint();
}

void Attempt::evaluate_if_due() {
  if (step_ == plan_.first || plan_.eval_every == 0 || step_ % plan_.eval_every != 0) return;
  v1::TrainerEvent event;
  v1::EvalEvent& eval = *event.mutable_eval();
  eval.set_step(step_);
  eval.set_metric("loss");
  eval.set_value(loss_of(key_.first, step_));
  append(std::move(event));
  if (best_step(key_.first, plan_, step_) != step_) return;
  best_ = step_;
  append_artifact(store::kBestAdapter, best_adapter_path(step_));
}

void Attempt::write_checkpoint() {
  if (std::exchange(checkpointed_, step_) == step_) return;
  append_artifact("checkpoint", fmt::format("checkpoints/step-{}", step_));
}

void Attempt::tell_result() {
  v1::TrainerEvent event;
  event.mutable_result()->set_steps(step_);
  append(std::move(event));
  append_artifact("metrics", kMetrics);
  append_artifact("result", "result.json");
}

void Attempt::append_artifact(const std::string& kind, const std::string& path) {
  v1::TrainerEvent event;
  v1::ArtifactEvent& artifact = *event.mutable_artifact();
  artifact.set_kind(kind);
  artifact.set_path(path);
  artifact.set_step(step_);
  if (kind == "checkpoint") artifact.set_state_digest(state_digest_of(step_));
  append(std::move(event));
}

void Attempt::append(v1::TrainerEvent event) {
  if (closed()) return;
  v1::SpooledEvent& spooled = events_.emplace_back();
  *spooled.mutable_time() = to_timestamp(host_.world.timeline.clock().wall());
  *spooled.mutable_event() = std::move(event);
  relay();
}

Attempt::File Attempt::file_of(const v1::ArtifactEvent& named) const {
  const std::string& kind = named.kind();
  const int64_t step = named.step();
  File file;
  if (kind == "checkpoint") {
    file.content = checkpoint_content(key_.first, step);
    if (host_.world.sabotage != Sabotage::kAgentTellsStateLate) {
      file.state_digest = state_digest_of(step);
    }
  } else if (kind == store::kBestAdapter) {
    file.content = best_adapter_of(key_.first, step);
  } else if (kind == "metrics") {
    file.content = metrics_of(plan_.first, step);
  } else {
    file.content = "result of " + key_.first;
  }
  file.artifact.set_kind(kind);
  file.artifact.set_path(named.path());
  file.artifact.set_step(step);
  file.artifact.set_bytes(static_cast<int64_t>(file.content.size()));
  file.artifact.set_sha256(sha256_hex(file.content));
  return file;
}

void Attempt::relay() {
  if (abandoned()) {
    if (closing_ && !end_) end_ = closing_;
    return host_.changed();
  }
  while (!uploading_ && ready_ < appended()) {
    v1::TrainerEvent& next = *events_[static_cast<size_t>(ready_)].mutable_event();
    if (!failure_.ok() && next.has_artifact()) {
      next.mutable_log()->set_message("was not uploaded: " + failure_.message());
    }
    if (!next.has_artifact()) {
      make_ready();
    } else if (next.artifact().kind() == "checkpoint" && acknowledged_ < ready_) {
      break;
    } else {
      send(*next.mutable_artifact());
    }
  }
  if (closing_ && !end_ && ready_ == appended()) end_ = concluded();
  host_.changed();
}

// In the place of a best adapter that has given way to a newer one goes that, once.
void Attempt::send(v1::ArtifactEvent& named) {
  if (named.kind() == store::kBestAdapter) {
    named.set_step(best_);
    named.set_path(best_adapter_path(best_));
    if (std::exchange(best_sent_, best_) == best_) return make_ready();
    if (host_.world.sabotage == Sabotage::kAgentSendsBestLate) {
      late_ = file_of(named);
      return make_ready();
    }
  }
  std::vector<File> files = {file_of(named)};  // the last is uploaded first
  if (named.kind() == "checkpoint") {
    v1::ArtifactEvent metrics = named;
    metrics.set_kind("metrics");
    metrics.set_path(kMetrics);
    files.push_back(file_of(metrics));
  } else if (late_) {
    files.push_back(*std::exchange(late_, std::nullopt));
  }
  upload(std::move(files));
}

void Attempt::upload(std::vector<File> files) {
  uploading_ = true;
  const File file = files.back();
  files.pop_back();
  host_.network.call(
      [id = id(), file](Coordinator& coordinator) {
        return store_file(coordinator, id, file.artifact, file.content, file.state_digest);
      },
      [this, self = shared_from_this(), file,
       left = std::move(files)](const Status& status) mutable {
        if (abandoned()) return;
        if (status.code() == Code::kUnavailable) {
          left.push_back(file);
          return host_.later(
              host_.world.some(1, 3),
              [this, self, left = std::move(left)]() mutable { upload(std::move(left)); });
        }
        uploaded(status, std::move(left));
      });
}

void Attempt::uploaded(const Status& status, std::vector<File> left) {
  if (status.ok() && !left.empty()) return upload(std::move(left));
  uploading_ = false;
  if (status.ok()) {
    make_ready();
  } else {
    host_.world.log("{}: {}/{} cannot upload: {}", host_.worker, key_.first, key_.second,
                    status.message());
    failure_ = status;
    host_.give_up(*this);
  }
  relay();
}

void Attempt::make_ready() {
  const v1::TrainerEvent& event = events_[static_cast<size_t>(ready_)].event();
  facts().told.push_back(event.SerializeAsString());
  ++ready_;
}

void Attempt::close(const Status& status, bool shared, bool held) {
  if (closed()) return;
  if (status.ok()) tell_result();
  closing_ = End{status, shared};
  held_ = held && host_.world.sabotage != Sabotage::kAgentFreesEarly;
  relay();
}

void Attempt::release() {
  held_ = false;
  host_.changed();
}

// As Attempt::concluded of the agent: a failure of its own, then why it was stopped, unless it had
// finished.
Attempt::End Attempt::concluded() const {
  if (!failure_.ok()) return {failure_};
  if (closing_->status.ok() || !stop_) return *closing_;
  return {*stop_ == StopKind::kCancel ? cancelled(stop_reason_) : unavailable(stop_reason_)};
}

void Attempt::stop(StopKind kind, const std::string& reason) {
  if (stop_ && kind != StopKind::kAbandon) return;
  stop_ = kind;
  stop_reason_ = reason;
  if (abandoned()) relay();
}

std::optional<v1::WorkerMessage> Attempt::next_report() {
  if (abandoned()) return std::nullopt;
  v1::WorkerMessage message;
  if (sent_ < ready_) {
    v1::AttemptEvents& batch = *message.mutable_events();
    *batch.mutable_id() = id();
    batch.set_first_number(sent_ + 1);
    const int64_t end = std::min(ready_, sent_ + kMostInBatch);
    while (sent_ < end) *batch.add_events() = events_[static_cast<size_t>(sent_++)];
    return message;
  }
  if (!end_ || held_ || end_told_ || acknowledged_ < appended()) return std::nullopt;
  end_told_ = true;
  v1::AttemptEnded& ended = *message.mutable_ended();
  *ended.mutable_id() = id();
  ended.set_code(std::string(code_name(end_->status.code())));
  ended.set_message(end_->status.message());
  ended.set_shared(end_->shared);
  facts().end = ended.code();
  return message;
}

void Attempt::rewind() {
  end_told_ = false;
  if (host_.world.sabotage == Sabotage::kAgentTellsNothingAgain) return;
  const bool skips = host_.world.sabotage == Sabotage::kAgentSkipsAnEvent;
  if (skips && sent_ > acknowledged_) {
    events_.erase(events_.begin() + acknowledged_);
    --ready_;
  }
  sent_ = acknowledged_;
}

void Attempt::acknowledge_events(int64_t up_to) {
  acknowledged_ = std::max(acknowledged_, std::min(up_to, ready_));
  sent_ = std::max(sent_, acknowledged_);
  relay();
}

void Attempt::acknowledge_end() {
  end_acknowledged_ = end_.has_value();
  host_.changed();
}

}  // namespace prefixmem::simulation
