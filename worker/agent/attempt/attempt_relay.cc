// From the spool to the coordinator: uploads first, then the event that names them.
#include <algorithm>
#include <charconv>
#include <system_error>
#include <vector>

#include "common/event/event_json.h"
#include "common/guarded.h"
#include "common/log.h"
#include "worker/agent/attempt/attempt.h"
#include "worker/agent/transfer/retry.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

// Paths relative to `out` of the file or of every file in the folder that an event names.
Result<std::vector<std::string>> files_of(const fs::path& out, const std::string& path) {
  const fs::path named = (out / path).lexically_normal();
  if (!named.string().starts_with(out.lexically_normal().string() + "/")) {
    return internal_error("the trainer named the artifact " + path + " outside its output folder");
  }
  std::error_code error;
  if (!fs::is_directory(named, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(named)) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(out).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Of a folder that may go meanwhile.
int64_t bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->is_regular_file(error)) bytes += static_cast<int64_t>(at->file_size(error));
  }
  return error ? 0 : bytes;
}

Event gave_way(const ArtifactEvent& event) {
  return LogEvent{0, "info", event.path + " gave way to a newer one before its upload"};
}

}  // namespace

void Attempt::wake_relay() {
  {
    const MutexLock lock(mutex_);  // so that no waiter is between its check and its wait
  }
  progress_.notify_all();
}

void Attempt::relay() {
  const Status status = guarded([this] {
    while (const auto event = wait_for_event()) replace(replacement_of(*event));
    return Status();
  });
  {
    const MutexLock lock(mutex_);
    if (!status.ok()) fail_spool(status);
    while (!closing_) progress_.wait(mutex_);
  }
  end();
}

void Attempt::end() {
  if (measured_) world_.metrics.end(key().job_id);
  {
    const MutexLock lock(mutex_);
    end_ = concluded();
    spdlog::info("{} ended: {}", key().text(), end_->status.to_string());
  }
  host_.changed();
}

// A failure of the agent's own comes first, then why it was stopped, unless it had finished.
AttemptEnd Attempt::concluded() const {
  AttemptEnd end = *closing_;
  if (!failure_.ok()) return {failure_, end.stderr_tail};
  if (end.status.ok()) return {};
  if (!stop_kind_) {
    if (setup_) end.status = setup_->inputs.in_words_of_spec(end.status);
    return end;
  }
  const bool cancel = *stop_kind_ == StopKind::kCancel;
  return {cancel ? cancelled(stop_reason_) : unavailable(stop_reason_), end.stderr_tail};
}

// None: there will be no more, or nobody wants them.
std::optional<Event> Attempt::wait_for_event() {
  const MutexLock lock(mutex_);
  while (!spool_->has_unready() && !closing_ && !abandoned()) progress_.wait(mutex_);
  if (abandoned() || spool_failed_) return std::nullopt;
  auto next = spool_->next_unready();
  if (next.ok()) return std::move(*next);
  fail_spool(next.status());
  return std::nullopt;
}

std::optional<Event> Attempt::replacement_of(const Event& event) {
  const auto* artifact = std::get_if<ArtifactEvent>(&event);
  if (artifact == nullptr) return std::nullopt;
  using Kind = ArtifactEvent::Kind;
  const Status earlier = failure();
  if (!earlier.ok()) return not_uploaded(*artifact, earlier);
  if (artifact->kind == Kind::kBestAdapter) return replacement_of_best(*artifact);
  const Status status = guarded([&] { return upload(*artifact); });
  if (status.ok()) return std::nullopt;
  if (artifact->kind == Kind::kCheckpoint && was_pruned(*artifact)) return gave_way(*artifact);
  return not_uploaded(*artifact, status);
}

// In the place of one that gave way to a newer one before it was uploaded goes that: whoever
// resumed from a checkpoint behind it would only look for a better one still.
std::optional<Event> Attempt::replacement_of_best(ArtifactEvent event) {
  if (event.step < best_sent_) return gave_way(event);
  if (event.step == best_sent_) return std::nullopt;
  for (bool replaced = false;; replaced = true) {
    const Status status = guarded([&] { return upload(event); });
    // Of a folder that is gone by now perhaps not all files were found.
    if (!was_pruned(event)) {
      if (!status.ok()) return not_uploaded(event, status);
      best_sent_ = event.step;
      return replaced ? std::optional<Event>(event) : std::nullopt;
    }
    auto newer = newer_best(event);
    if (!newer)
      return gave_way(event);  // nobody has kept one: it goes only once the newer is there
    event = *std::move(newer);
  }
}

// Lies in best_adapter/step-STEP.
std::optional<ArtifactEvent> Attempt::newer_best(const ArtifactEvent& event) const {
  constexpr std::string_view kStep = "step-";
  const fs::path folder = fs::path(event.path).parent_path();
  std::optional<ArtifactEvent> newest;
  std::error_code error;
  for (fs::directory_iterator at(setup_->folder.out() / folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    int64_t step = 0;
    if (!name.starts_with(kStep)) continue;
    std::from_chars(name.data() + kStep.size(), name.data() + name.size(), step);
    if (step <= (newest ? newest->step : event.step)) continue;
    newest = ArtifactEvent{ArtifactEvent::Kind::kBestAdapter, (folder / name).string(), step};
    newest->bytes = bytes_in(at->path());
  }
  return newest;
}

// The trainer keeps only its newest checkpoints, and one best adapter.
bool Attempt::was_pruned(const ArtifactEvent& event) const {
  std::error_code error;
  return !fs::exists(setup_->folder.out() / event.path, error) && !error;
}

Event Attempt::not_uploaded(const ArtifactEvent& event, const Status& status) {
  if (!abandoned()) fail(status);
  return LogEvent{0, "error", event.path + " was not uploaded: " + status.message()};
}

void Attempt::replace(const std::optional<Event>& replacement) {
  {
    const MutexLock lock(mutex_);
    const Status status = replacement ? spool_->mark_ready_as(*replacement) : spool_->mark_ready();
    if (!status.ok()) fail_spool(status);
  }
  host_.changed();
}

Status Attempt::wait_until_told() {
  const MutexLock lock(mutex_);
  while (!spool_->all_ready_acknowledged() && !spool_failed_ && !abandoned()) {
    progress_.wait(mutex_);
  }
  return spool_failed_ ? failure_ : Status();
}

// A checkpoint reaches the store after the events and metrics of the steps before it: whoever
// resumes from it lacks none of them.
Status Attempt::upload_history(const ArtifactEvent& checkpoint) {
  PM_TRY(wait_until_told());
  std::error_code error;
  if (!fs::exists(setup_->folder.out() / kMetricsFile, error)) return {};
  ArtifactEvent metrics = checkpoint;
  metrics.kind = ArtifactEvent::Kind::kMetrics;
  return upload_file(metrics, kMetricsFile);
}

Status Attempt::upload(const ArtifactEvent& event) {
  if (event.kind == ArtifactEvent::Kind::kCheckpoint) PM_TRY(upload_history(event));
  PM_ASSIGN(const auto files, files_of(setup_->folder.out(), event.path));
  for (const std::string& file : files) PM_TRY(upload_file(event, file));
  return {};
}

Status Attempt::upload_file(const ArtifactEvent& event, const std::string& path) {
  Artifact artifact;
  artifact.path = path;
  artifact.kind = event::kNames<ArtifactEvent::Kind>[static_cast<size_t>(event.kind)];
  artifact.step = event.step;
  if (event.kind == ArtifactEvent::Kind::kCheckpoint) artifact.state_digest = event.state_digest;
  return retry_while_unavailable(world_.options.transfer_backoff, transfers_.get_token(), [&] {
    const Status status =
        world_.store.upload(key(), artifact, setup_->folder.out(), transfers_.get_token());
    if (!status.ok() && !abandoned()) world_.metrics.upload_failed(key().job_id);
    return status;
  });
}

Status Attempt::failure() const {
  const MutexLock lock(mutex_);
  return failure_;
}

// What cannot be handed over makes the rest of the run worthless.
void Attempt::fail(const Status& status) {
  spdlog::error("{}: {}", key().text(), status.to_string());
  {
    const MutexLock lock(mutex_);
    if (failure_.ok()) failure_ = status;
  }
  host_.stop(*this, Millis(0));
}

void Attempt::fail_spool(const Status& status) {
  spdlog::error("{}: {}", key().text(), status.to_string());
  spool_failed_ = true;
  if (failure_.ok()) failure_ = status;
  if (end_) end_->status = failure_;
  host_.stop(*this, Millis(0));
  progress_.notify_all();
}

}  // namespace prefixmem::agent
