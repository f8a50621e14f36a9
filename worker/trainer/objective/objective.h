// What a step minimises, as a function of its label tokens' log-probabilities.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/spec/job_spec.h"

namespace prefixmem::trainer {

// Scores of whole examples, in the order of the micro-batch. For preference objectives that is
// chosen, rejected, chosen, rejected, … (data/example.h).
struct ExampleScores {
  torch::Tensor sums;            // fp32 [E]: log-probability of the example's label tokens
  torch::Tensor reference_sums;  // fp32 [E], the same under the reference; undefined without one
  torch::Tensor lengths;         // fp32 [E]: label tokens
};

// A job's loss is the sum over the global batch of loss_sum() divided by that of units(), so that
// micro-batches, accumulation and ranks change nothing but rounding.
class Objective {
 public:
  virtual ~Objective() = default;

  // Whether it compares with the model without its adapter.
  virtual bool has_reference() const { return false; }

  // What a batch counts: label tokens, or pairs.
  virtual int64_t units(int64_t examples, int64_t label_tokens) const = 0;

  // Sum of the losses of some examples: a scalar, differentiable in `sums`.
  virtual torch::Tensor loss_sum(const ExampleScores& scores) const = 0;
};

std::unique_ptr<Objective> make_objective(const ObjectiveSpec& spec);

// Sums `log_probs` [sum of lengths] over each example: fp32 [E]. Deterministic, backward included.
torch::Tensor sum_by_example(const torch::Tensor& log_probs, const std::vector<int64_t>& lengths);

}  // namespace prefixmem::trainer
