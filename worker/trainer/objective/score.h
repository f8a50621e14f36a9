// Scores of whole examples of one micro-batch, for objectives and evaluations.
#pragma once

#include <torch/types.h>

#include <vector>

#include "worker/trainer/data/common_prefixes.h"
#include "worker/trainer/data/example.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/reference.h"

namespace prefixmem::trainer {

// Some examples, packed on a device.
class ScoredBatch {
 public:
  ScoredBatch(const std::vector<int64_t>& indices, const std::vector<Example>& examples,
              torch::Device device, int64_t min_shared = kMinShared);

  // Under autograd differentiable in the adapter's parameters. `adapter` and `reference` may be
  // null: the base, no reference.
  ExampleScores score(Decoder& model, Adapter* adapter, const Reference* reference) const;

  int64_t tokens() const { return batch_.token_count(); }  // that are computed
  int64_t examples() const { return static_cast<int64_t>(indices_.size()); }
  int64_t label_tokens() const { return batch_.label_ids.numel(); }

  // For training with dropout: gives each token its random number of this step. Examples must share
  // nothing.
  void drop_out(int64_t seed, int64_t step);

 private:
  friend std::vector<ExampleScores> score_together(Decoder& model,
                                                   const std::vector<struct ScoreCall>& calls);

  std::vector<int64_t> indices_;
  torch::Device device_;
  std::vector<int64_t> lengths_;  // label tokens of each example
  RaggedBatch batch_;
};

// A batch and what it is scored with, both of which may be null.
struct ScoreCall {
  const ScoredBatch* batch;
  Adapter* adapter;
  const Reference* reference;
  int64_t recomputed = 0;  // as of AdapterSpan
};

// The scores of each call, of one pass of the model over all batches.
std::vector<ExampleScores> score_together(Decoder& model, const std::vector<ScoreCall>& calls);

}  // namespace prefixmem::trainer
