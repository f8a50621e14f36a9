// A member's side of a gang over several hosts: this host's files, and Open MPI's daemon with the
// ranks below it. The attempt itself, its events, files and end are the head's.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "common/thread_annotations.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/attempt/attempt_world.h"
#include "worker/agent/attempt/gang_folder.h"
#include "worker/agent/attempt/trial_setup.h"
#include "worker/agent/hosts/mailbox.h"

namespace prefixmem::agent {

// Thread-safe.
class Member {
 public:
  // `assignment`: with is_member(), of one attempt. `gpus`: for CUDA_VISIBLE_DEVICES; empty: all.
  // `changed` is called, without a lock, when there may be a note to send or the end has come.
  Member(GangAssignment assignment, std::vector<std::string> gpus, const AttemptWorld& world,
         std::function<void()> changed);
  // Kills what still runs, waits for the thread, removes the folders.
  ~Member();

  const AttemptKey& key() const { return assignment_.attempts.front().key; }
  int ranks() const { return assignment_.ranks_here(); }
  const std::vector<std::string>& gpus() const { return gpus_; }
  bool holds_slots() const;  // its processes may still live

  void on_note(Note note);
  std::optional<Note> next_note();
  void rewind();

  // Kills what runs.
  void stop();
  // Nothing is left, and the head knows or nobody asks.
  bool finished() const;

 private:
  // Body thread.
  void live();
  Result<DaemonEnded> run();
  // None: it was stopped before.
  std::optional<StartDaemon> wait_for_start();
  Result<Command> daemon(const StartDaemon& start);
  class Daemon;

  bool stopping() const;
  std::vector<RankLine> take_lines();
  void post(NoteBody body);

  // Constant after construction.
  const GangAssignment assignment_;
  const std::vector<std::string> gpus_;
  const AttemptWorld& world_;
  const std::function<void()> changed_;
  const Fd woken_;  // something was asked for or said

  // Body thread.
  std::optional<TrialSetup> setup_;
  std::optional<GangFolder> folder_;

  std::stop_source starting_;  // thread-safe by itself

  mutable Mutex mutex_;
  CondVar asked_;
  Mailbox mail_ PM_GUARDED_BY(mutex_);
  std::optional<StartDaemon> start_ PM_GUARDED_BY(mutex_);
  std::vector<RankLine> lines_ PM_GUARDED_BY(mutex_);  // for ranks
  bool stopped_ PM_GUARDED_BY(mutex_) = false;
  bool unwanted_ PM_GUARDED_BY(mutex_) = false;  // not the head asked for the stop
  bool over_ PM_GUARDED_BY(mutex_) = false;

  std::thread body_;  // last: uses all of the above
};

}  // namespace prefixmem::agent
