// One mpirun and the attempts that train in it, from their assignment until the gang is gone: one
// attempt, or those of a bank, each of which ends by itself. Others may join a bank while it runs;
// where its ranks have left without them, the next mpirun is theirs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/thread_annotations.h"
#include "worker/agent/attempt/attempt.h"
#include "worker/agent/attempt/gang_folder.h"
#include "worker/agent/hosts/head.h"

namespace prefixmem::agent {

// Thread-safe.
class GangRun final : private AttemptHost {
 public:
  // `gpus`: for CUDA_VISIBLE_DEVICES; empty: all. `changed` is called, from any of its threads and
  // without a lock, when an attempt may have a new report or the gang is gone.
  GangRun(GangAssignment assignment, std::vector<std::string> gpus, const AttemptWorld& world,
          std::function<void()> changed);
  // Kills what still runs, breaks off transfers, waits for the threads, removes the folders.
  ~GangRun() override;

  // One more; null where the gang is gone, or has no name.
  Attempt* join(const Assignment& assignment);

  // As assigned, in that order; live as long as the run.
  std::vector<Attempt*> attempts() const;
  const std::string& name() const { return name_; }
  int ranks() const { return ranks_; }  // on this host
  const std::vector<std::string>& gpus() const { return gpus_; }
  bool holds_slots() const;  // its processes may still live

  // Between this host, where the gang is over several, and the others.
  void on_note(Note note);
  std::optional<Note> next_note();
  void rewind();

 private:
  // Of an attempt that is not closed.
  struct Part {
    std::optional<int> trial;               // once it has a place among the ranks
    std::optional<MonotonicTime> leave_by;  // it is to stop
  };

  Attempt* add(Assignment assignment) PM_REQUIRES(mutex_);
  void changed() override { changed_(); }
  // Its trial alone where others go on.
  void stop(const Attempt& attempt, Millis grace) override;
  void note_stop(const Attempt& attempt, Millis grace);
  // Stops the gang where nobody would be left in it.
  bool stop_where_all_leave() PM_REQUIRES(mutex_);

  // Body thread.
  void live();
  // Begins the next mpirun; null where nobody waits for one, and then the gang is gone.
  StopRequest* next_round();
  // Prepares those that wait and gives them their places; a failure ends the attempt. While the
  // gang runs nobody may keep its thread waiting: who has files to fetch waits for the next one.
  void muster(bool running);
  // Among the ranks; one that was stopped before is closed.
  void place(Attempt& attempt);
  // From there on a stop goes to the gang; false where it was stopped before.
  bool takes_part(const Attempt& attempt, int trial);
  Status run(StopRequest& stop);
  // With the other hosts, where there are any.
  GangEnd run_on_all(const GangPlan& plan, StopRequest& stop, const GangListener& listener);
  Result<GangPlan> plan();
  std::vector<std::string> take_joining();
  bool is_unheard(const Attempt* trial) const;
  void on_event(const TrialEvent& event);
  void on_hang(const std::optional<Hang>& hang);
  void take(Attempt& trial, const Event& event);
  void tell(Attempt& attempt, const Event& event);
  void close(Attempt& attempt, AttemptEnd end);
  void close_round(const Status& status);

  // Constant after construction.
  const std::string name_;
  const int ranks_;
  const int64_t memory_;               // of HostShare
  const std::vector<GangHost> hosts_;  // of a gang over several, this one first
  const std::unique_ptr<Head> head_;   // of those; thread-safe
  const std::vector<std::string> gpus_;
  const AttemptWorld& world_;
  const std::function<void()> changed_;

  // Body thread; of one mpirun but for those that it has left out.
  std::optional<GangFolder> folder_;
  bool bank_ = false;              // it has a name, or was started with several
  std::vector<Attempt*> trials_;   // by number
  std::vector<Attempt*> unheard_;  // joined it, in turn, and no event of theirs has come
  std::string stderr_tail_;

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Attempt>> attempts_ PM_GUARDED_BY(mutex_);
  std::vector<Attempt*> waiting_ PM_GUARDED_BY(mutex_);  // for a place
  std::map<const Attempt*, Part> open_ PM_GUARDED_BY(mutex_);
  std::unique_ptr<StopRequest> stop_
      PM_GUARDED_BY(mutex_);  // of this mpirun, thread-safe by itself
  bool gone_ PM_GUARDED_BY(mutex_) = false;

  std::thread body_;  // last: uses all of the above
};

}  // namespace prefixmem::agent
