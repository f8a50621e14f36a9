// Evaluation of the model with its adapter on held-out rows, the rows split over the ranks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/data/encode.h"
#include "worker/trainer/eval/metric.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/reference.h"

namespace prefixmem::trainer {

// Must live while the evaluation runs. Changes nothing that training depends on.
struct EvalContext {
  const EvalSpec& spec;
  const std::vector<Example>& examples;  // examples_per_row of each row
  int64_t examples_per_row;
  const std::vector<std::vector<int32_t>>&
      label_ids;  // label_likelihood: RowEncoder::encode_labels
  const TextCodec& codec;
  Decoder& model;
  Adapter* adapter;            // null: the base
  const Objective& objective;  // loss
  const Reference* reference;  // loss, where the objective has one
  Collective& gang;
  int64_t micro_batch_tokens;
  bool any_ranks = false;  // the same bits on any number of ranks, from batches that are the same
  std::function<bool()> should_stop;  // asked between forwards
};

// metric_of(spec). CANCELLED on every rank once should_stop() is true on one.
Result<EvalEvent> evaluate(const EvalContext& context, int64_t step);

// The rows of spec.max_rows: a sample drawn by (seed, row), in file order; all where it is 0.
std::vector<int64_t> sample_rows(int64_t count, const EvalSpec& spec);

// One micro-batch of each mode, as indices of examples.
Result<Tally> score_labels(const EvalContext& context, const std::vector<int64_t>& rows);
Result<Tally> score_generation(const EvalContext& context, const std::vector<int64_t>& rows);
Result<Tally> score_loss(const EvalContext& context, const std::vector<int64_t>& examples);
Result<Tally> score_preference(const EvalContext& context, const std::vector<int64_t>& examples);

}  // namespace prefixmem::trainer
