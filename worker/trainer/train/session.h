// Everything that a rank holds of one trial while it trains.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/reference.h"
#include "worker/trainer/train/bank_file.h"
#include "worker/trainer/train/base.h"

namespace prefixmem::trainer {

struct Session {
  // `index`: of the trial in the bank's file; kWholeGang for a job alone.
  Session(Base& shared, int index, TrialFiles own)
      : base(shared), trial(index), files(std::move(own)) {}

  Base& base;
  int trial;
  TrialFiles files;
  JobSpec spec;
  std::string portable_yaml;         // of TrialFiles::portable
  std::unique_ptr<Adapter> adapter;  // null for method none
  std::unique_ptr<Objective> objective;
  std::unique_ptr<Reference> train_reference, eval_reference;  // null without a reference
  std::shared_ptr<const Dataset> data;
  int64_t recomputed_layers = 0;           // as of AdapterSpan
  std::shared_ptr<const int64_t> trained;  // of Base::note_trained
  Agreement agreement;                     // a failure of all ranks ends this trial alone

  bool leads() const { return base.leads(); }
  Status emit(const Event& event) const { return base.emit({trial, event}); }
  Status together(Status status) { return agreement.together(std::move(status)); }
  Status agree(const Status& mine) { return agreement.agree(*base.gang, mine); }
};

// INVALID_ARGUMENT where a spec's method does not fit its base or, beside others, a bank.
Status check_method(const JobSpec& spec, bool alone);

// Reads rows and adapter, on a loaded base. Collective.
Status load_session(Session& session);

}  // namespace prefixmem::trainer
