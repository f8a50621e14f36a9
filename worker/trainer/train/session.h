// Everything that a rank holds while it runs a job.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/reference.h"
#include "worker/trainer/train/event_sink.h"

namespace prefixmem::trainer {

struct RunOptions {
  std::filesystem::path spec;
  std::filesystem::path out;
  bool resume = false;
  std::filesystem::path cache;  // of encoded rows; empty: none
  std::string events;           // Unix socket of the agent; empty: run by hand
};

struct Session {
  RunOptions options;
  JobSpec spec;
  std::unique_ptr<EventSink> sink;  // outlives the gang, which may have to report to it
  std::unique_ptr<Collective> gang;
  std::unique_ptr<TextCodec> codec;
  std::unique_ptr<Decoder> model;
  std::unique_ptr<Adapter> adapter;  // null for method none
  std::unique_ptr<Objective> objective;
  std::unique_ptr<Reference> train_reference, eval_reference;  // null without a reference
  torch::Tensor base_probe;  // rank 0, where the model itself is trained: its probe before that
  Dataset data;
  // Set once every rank holds the same failure, so that all may end in order and one rank speaks
  // for them; a rank that fails otherwise fails alone and has to take the gang down.
  bool failed_together = false;

  bool leads() const { return gang->rank() == 0; }
  // Rank 0 speaks for the gang.
  Status emit(const Event& event) const { return leads() ? sink->emit(event) : Status(); }
  // A failure that every rank has found in the same way.
  Status together(Status status);
  // Turns a failure of one rank into everybody's; every rank calls it.
  Status agree(const Status& mine);
};

// Reads spec, tokenizer, data, model and adapter. Collective: every rank calls each in this order.
Status load_session(Session& session);

}  // namespace prefixmem::trainer
