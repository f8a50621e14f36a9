// One attempt at a job on this worker, from its assignment to the acknowledgement of its end: its
// folder, its events, its files, its end. The gang that it trains in, alone or as a trial of a
// bank, is a GangRun's.
//
// The gang's thread prepares it, hands it events and closes it; its relay thread uploads what the
// events name and lets them go. The stream takes reports from next_report() and brings
// acknowledgements back.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/thread_annotations.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/attempt/attempt_world.h"
#include "worker/agent/attempt/trial_setup.h"
#include "worker/agent/spool/spool.h"

namespace prefixmem::agent {

struct AttemptEnd {
  Status status;
  std::string stderr_tail;
  bool shared = false;  // the gang failed with others in it, nobody knows by whose fault
};

// What the coordinator is to be told.
struct AttemptReport {
  AttemptKey key;
  std::variant<EventBatch, AttemptEnd> body;
};

enum class StopKind {
  kCancel,    // the coordinator asked: ends CANCELLED
  kShutDown,  // this worker goes away: ends UNAVAILABLE, to go on elsewhere from its checkpoint
  kAbandon,   // not the job's current attempt any more: killed, and nobody is told
};

class Attempt;

// What an attempt wants of the gang that it is in. Called from any thread; outlives the attempt.
class AttemptHost {
 public:
  virtual ~AttemptHost() = default;
  // There may be a new report. No lock is held.
  virtual void changed() = 0;
  // Its part of the gang is to be over within `grace`; close() follows. The attempt's lock may be
  // held.
  virtual void stop(const Attempt& attempt, Millis grace) = 0;
};

// Thread-safe but for what is the gang's thread's.
class Attempt {
 public:
  Attempt(Assignment assignment, const AttemptWorld& world, AttemptHost& host);
  // Breaks off transfers, waits for the relay thread, removes the folder. The gang is gone.
  ~Attempt();

  const AttemptKey& key() const { return assignment_.key; }
  // Since it was assigned.
  Millis age() const { return world_.clock.monotonic() - began_; }
  // prepare() has to fetch files, which takes as long as the coordinator does.
  bool fetches() const;

  // ---- for the gang's thread, in this order

  // Makes the folder and fetches what the spec names and what to resume from. After a failure only
  // close() follows.
  Status prepare();
  const LocalSpec& spec() const { return setup_->spec; }
  TrialFiles files() const { return setup_->files(); }
  // A failure is the spool's, which takes nothing more.
  Status on_event(const Event& event);
  // Its part of the gang is over, with that end; the first call counts. The end is told after all
  // events, and not before release() where `held`.
  void close(AttemptEnd end, bool held);
  // The gang is gone.
  void release();

  // ---- for anybody

  // `grace`: until it is killed; none: what its kind allows.
  void stop(StopKind kind, const std::string& reason, std::optional<Millis> grace = std::nullopt);
  // Nobody wants what it still has.
  bool abandoned() const { return transfers_.stop_requested(); }
  bool closed() const;

  // The next thing to tell: events in order, and after the acknowledgement of the last the end,
  // once a connection.
  std::optional<AttemptReport> next_report();
  // A new connection: everything unacknowledged is told again.
  void rewind();
  void acknowledge_events(int64_t up_to);
  void acknowledge_end();

  bool finished() const;  // nothing more is to come: told and acknowledged, or abandoned
  int64_t spooled() const;

 private:
  // The gang's thread.
  Status add_outputs();

  // Relay thread; the gang's where there is none.
  void end();
  AttemptEnd concluded() const PM_REQUIRES(mutex_);

  // Relay thread.
  void relay();
  std::optional<Event> wait_for_event();
  // Uploads what the event names; none: the event may go as it is.
  std::optional<Event> replacement_of(const Event& event);
  std::optional<Event> replacement_of_best(ArtifactEvent event);
  std::optional<ArtifactEvent> newer_best(const ArtifactEvent& event) const;
  bool was_pruned(const ArtifactEvent& event) const;
  Event not_uploaded(const ArtifactEvent& event, const Status& status);
  void replace(const std::optional<Event>& replacement);
  Status wait_until_told();
  Status upload(const ArtifactEvent& event);
  // What a checkpoint is to be in the store after.
  Status upload_history(const ArtifactEvent& checkpoint);
  Status upload_file(const ArtifactEvent& event, const std::string& path);
  Status failure() const;
  void fail(const Status& status);
  void fail_spool(const Status& status) PM_REQUIRES(mutex_);
  void wake_relay();

  // Constant after construction.
  const Assignment assignment_;
  const AttemptWorld& world_;
  AttemptHost& host_;
  const MonotonicTime began_;

  // The gang's thread, before the relay thread starts.
  std::optional<TrialSetup> setup_;
  bool measured_ = false;  // has begun in the metrics

  // The gang's thread.
  int64_t last_step_ = 0;

  // The relay thread: the step of the newest best adapter that has gone to the store, maybe before
  // its event.
  int64_t best_sent_ = 0;

  // Thread-safe by themselves.
  std::stop_source starting_;   // raised by every stop
  std::stop_source transfers_;  // raised to break off what the coordinator no longer wants

  mutable Mutex mutex_;
  CondVar progress_;
  std::optional<Spool> spool_ PM_GUARDED_BY(mutex_);
  std::optional<StopKind> stop_kind_ PM_GUARDED_BY(mutex_);
  std::string stop_reason_ PM_GUARDED_BY(mutex_);
  Status failure_ PM_GUARDED_BY(mutex_);                     // of an upload or of the spool
  bool spool_failed_ PM_GUARDED_BY(mutex_) = false;          // or the relay: no event goes any more
  std::optional<AttemptEnd> closing_ PM_GUARDED_BY(mutex_);  // what close() was given
  bool held_ PM_GUARDED_BY(mutex_) = false;                  // until the gang is gone
  std::optional<AttemptEnd> end_ PM_GUARDED_BY(mutex_);
  bool end_told_ PM_GUARDED_BY(mutex_) = false;
  bool end_acknowledged_ PM_GUARDED_BY(mutex_) = false;

  std::thread relay_;  // last: uses all of the above
};

}  // namespace prefixmem::agent
