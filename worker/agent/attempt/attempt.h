// One attempt at a job on this worker, from its assignment to the acknowledgement of its end.
//
// Its body thread prepares the folder, runs the gang and explains its end; its relay thread uploads
// what the events name and lets them go. The stream takes reports from next_report() and brings
// acknowledgements back.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/thread_annotations.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/attempt/attempt_folder.h"
#include "worker/agent/attempt/trainer_command.h"
#include "worker/agent/exporter/job_metrics.h"
#include "worker/agent/gang/gang.h"
#include "worker/agent/spool/spool.h"
#include "worker/agent/transfer/artifact_store.h"

namespace prefixmem::agent {

struct AttemptOptions {
  std::filesystem::path work_dir;
  TrainerPrograms programs;
  WorkerDevice device;
  int threads_per_rank = 1;
  Millis cancel_grace{3000};     // from a cancel to the kill: gone within 5 s
  Millis shut_down_grace{5000};  // from the agent's own stop to the kill
  BackoffPolicy transfer_backoff{.longest = std::chrono::milliseconds(3000)};
};

// Everything that attempts share; outlives them.
struct AttemptWorld {
  AttemptOptions options;
  const Clock& clock;
  GangWorld gang;
  ArtifactStore& store;
  JobMetrics& metrics;
};

struct AttemptEnd {
  Status status;
  std::string stderr_tail;
};

// What the coordinator is to be told.
struct AttemptReport {
  AttemptKey key;
  std::variant<EventBatch, AttemptEnd> body;
};

enum class StopKind {
  kCancel,    // the job's owner asked: ends CANCELLED
  kShutDown,  // this worker goes away: ends UNAVAILABLE, to go on elsewhere from its checkpoint
  kAbandon,   // not the job's current attempt any more: killed, and nobody is told
};

// Thread-safe.
class Attempt {
 public:
  // `gpus`: for CUDA_VISIBLE_DEVICES; empty: all. `changed` is called, from any of its threads and
  // without its lock, when there may be a new report.
  Attempt(Assignment assignment, std::vector<std::string> gpus, const AttemptWorld& world,
          std::function<void()> changed);
  // Kills what still runs, breaks off transfers, waits for the threads.
  ~Attempt();

  const AttemptKey& key() const { return assignment_.key; }
  int ranks() const { return assignment_.ranks; }
  const std::vector<std::string>& gpus() const { return gpus_; }

  void stop(StopKind kind, const std::string& reason);

  // The next thing to tell: events in order, and after the acknowledgement of the last the end,
  // once a connection.
  std::optional<AttemptReport> next_report();
  // A new connection: everything unacknowledged is told again.
  void rewind();
  void acknowledge_events(int64_t up_to);
  void acknowledge_end();

  bool holds_slots() const;  // its gang may still run
  bool finished() const;  // may be destroyed without waiting: told and acknowledged, or abandoned
  int64_t spooled() const;

 private:
  // Body thread.
  void live();
  Status prepare();
  Status fetch(const std::optional<Artifact>& artifact);
  Status run_and_relay();
  Status run();
  Status on_event(const Event& event);
  Status add_outputs();
  Status conclude(const Status& gang) const;
  void end_with(Status status);

  // Relay thread.
  void relay();
  std::optional<Event> wait_for_event();
  // Uploads what the event names; none: the event may go as it is.
  std::optional<Event> replacement_of(const Event& event);
  bool was_pruned(const ArtifactEvent& event) const;
  void release(const std::optional<Event>& replacement);
  Status wait_until_told();
  Status upload(const ArtifactEvent& event);
  // What a checkpoint is to be in the store after.
  Status upload_history(const ArtifactEvent& checkpoint);
  Status upload_file(const ArtifactEvent& event, const std::string& path);
  Status failure() const;
  void fail(const Status& status);
  void fail_spool(const Status& status) PM_REQUIRES(mutex_);
  bool broken_off() const { return transfers_.stop_requested(); }
  void wake_relay();

  // Constant after construction.
  const Assignment assignment_;
  const std::vector<std::string> gpus_;
  const AttemptWorld& world_;
  const std::function<void()> changed_;

  // Body thread, before the relay thread starts.
  std::optional<AttemptFolder> folder_;
  LocalSpec spec_;

  // Body thread.
  bool measured_ = false;  // has begun in the metrics
  std::string stderr_tail_;
  int64_t last_step_ = 0;

  // Thread-safe by themselves.
  StopRequest stop_;
  std::stop_source starting_;   // raised by every stop
  std::stop_source transfers_;  // raised to break off what the coordinator no longer wants

  mutable Mutex mutex_;
  CondVar progress_;
  std::optional<Spool> spool_ PM_GUARDED_BY(mutex_);
  bool gang_gone_ PM_GUARDED_BY(mutex_) = false;
  std::optional<StopKind> stop_kind_ PM_GUARDED_BY(mutex_);
  std::string stop_reason_ PM_GUARDED_BY(mutex_);
  Status failure_ PM_GUARDED_BY(mutex_);             // of an upload or of the spool
  bool spool_failed_ PM_GUARDED_BY(mutex_) = false;  // or the relay: no event goes any more
  std::optional<AttemptEnd> end_ PM_GUARDED_BY(mutex_);
  bool end_told_ PM_GUARDED_BY(mutex_) = false;
  bool end_acknowledged_ PM_GUARDED_BY(mutex_) = false;

  std::thread body_;  // last: uses all of the above
};

}  // namespace prefixmem::agent
