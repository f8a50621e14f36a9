// One mpirun and the attempts that train in it, from their assignment until the gang is gone: one
// attempt, or those of a bank, each of which ends by itself.
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

  // As assigned; live as long as the run.
  const std::vector<std::unique_ptr<Attempt>>& attempts() const { return attempts_; }
  int ranks() const { return ranks_; }
  const std::vector<std::string>& gpus() const { return gpus_; }
  bool holds_slots() const;  // its processes may still live

 private:
  // Of an attempt that is not closed.
  struct Member {
    std::optional<int> trial;               // once it has a place in the gang
    std::optional<MonotonicTime> leave_by;  // it is to stop
  };

  void changed() override { changed_(); }
  // Its trial alone where others go on.
  void stop(const Attempt& attempt, Millis grace) override;
  // Stops the gang where nobody would be left in it.
  bool stop_where_all_leave() PM_REQUIRES(mutex_);

  // Body thread.
  void live();
  void prepare();
  // Those that are to start; closes those that were stopped before.
  std::vector<Attempt*> muster();
  // Gives it its place, from where on a stop goes to the gang; false where it was stopped before.
  bool takes_part(const Attempt& attempt, int trial);
  Status run();
  Result<GangPlan> plan(const std::vector<Attempt*>& trials);
  void on_event(const std::vector<Attempt*>& trials, const TrialEvent& event);
  void on_hang(const std::vector<Attempt*>& trials, const std::optional<Hang>& hang);
  void take(Attempt& trial, const Event& event);
  void tell(Attempt& attempt, const Event& event);
  void close(Attempt& attempt, AttemptEnd end);
  void close_all(const Status& status);

  // Constant after construction.
  const int ranks_;
  const std::vector<std::string> gpus_;
  const AttemptWorld& world_;
  const std::function<void()> changed_;
  std::vector<std::unique_ptr<Attempt>> attempts_;

  // Body thread.
  std::optional<GangFolder> folder_;
  bool bank_ = false;  // it was started with several trials
  std::string stderr_tail_;

  StopRequest stop_;  // thread-safe by itself

  mutable Mutex mutex_;
  std::map<const Attempt*, Member> open_ PM_GUARDED_BY(mutex_);
  bool gone_ PM_GUARDED_BY(mutex_) = false;

  std::thread body_;  // last: uses all of the above
};

}  // namespace prefixmem::agent
