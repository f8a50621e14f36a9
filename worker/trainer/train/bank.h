// Trials that train together: one gang, one pass of the frozen base, each with everything else of
// its own. A job alone is a bank of one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/spec/enums.h"
#include "worker/trainer/train/bank_file.h"
#include "worker/trainer/train/base.h"
#include "worker/trainer/train/loop.h"
#include "worker/trainer/train/session.h"

namespace prefixmem::trainer {

struct TrialSpec {
  JobSpec local;
  std::string portable_yaml;
};

class Bank {
 public:
  // Reads the trials' specs; a failure is that trial's. `open`: events name their trial, and others
  // may join, as base.requests says.
  Bank(Base& base, const std::vector<TrialFiles>& files, bool open);

  // Of the first spec that could be read.
  Device device() const;

  // Loads base and trials and trains each to its end, which it tells by its own result or failure
  // once everything is written. A trial that fails leaves the others as they are; a failure of the
  // call is the gang's. Collective, with base.gang there.
  Status run();

  // After run().
  const Status& end_of(size_t trial) const { return *trials_[trial]->end; }

 private:
  struct Trial {
    Session session;
    Result<TrialSpec> spec;
    std::unique_ptr<TrainingLoop> loop;  // once it has started
    std::optional<Status> end;
  };
  // What all ranks have said after a step.
  struct Votes {
    int64_t resident_bytes = 0;
    std::vector<Stop> stops;  // of each trial that voted
    bool join = false;        // every rank knows of a trial that is to come in
  };

  void add(const TrialFiles& files);
  std::vector<Trial*> running() const;
  // Does this for every trial that has not ended, each failure ending its own.
  Status each(const std::function<Status(Trial&)>& work);
  Status admit(Trial& trial) const;
  Status load(Trial& trial);
  // Ends a trial that has no step left.
  Status prepare(Trial& trial);
  // With no trials a vote alone. True: a trial has joined.
  Result<bool> step(const std::vector<Trial*>& trials);
  Status join();
  Result<Votes> vote(const std::vector<Trial*>& trials);
  Status finish(Trial& trial, Result<StepEvent> made, Stop stop, int64_t resident_bytes) const;
  // Makes a failure that all ranks hold the end of the trial; any other is the gang's.
  Status settle(Trial& trial, const Status& status);
  void end(Trial& trial, const Status& status);

  Base& base_;
  const bool open_;
  std::vector<std::unique_ptr<Trial>> trials_;
  size_t joined_ = 0;      // trials that came in later
  int64_t steps_ = 0;      // of this process
  int64_t own_bytes_ = 0;  // this process's memory when last measured
};

}  // namespace prefixmem::trainer
