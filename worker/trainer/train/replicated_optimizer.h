// For adapters, which are small: every rank holds everything and makes the whole update; one sum
// over the ranks a step, or an exact one of the rounds and ranks (exact_sum.h).
#pragma once

#include <optional>
#include <vector>

#include "worker/trainer/collective/exact_sum.h"
#include "worker/trainer/train/adamw.h"
#include "worker/trainer/train/flat_parameters.h"
#include "worker/trainer/train/optimizer.h"

namespace prefixmem::trainer {

class ReplicatedOptimizer final : public Optimizer {
 public:
  // The parameters must be fp32 (see FlatParameters).
  ReplicatedOptimizer(std::vector<Parameter>& parameters, Collective& gang,
                      const AdamWOptions& options, bool exact = false);

  void zero_gradients() override;
  Status after_backward() override;
  Status sum_gradients() override;
  Result<double> clip_gradients(double max_norm) override;
  Status step(double learning_rate) override;
  int64_t steps() const override { return adamw_.steps(); }
  void set_steps(int64_t steps) override { adamw_.set_steps(steps); }
  Result<torch::Tensor> gather(State state, size_t index) override;
  int64_t state_bytes() const override;

 private:
  void place(State state, int64_t begin, const torch::Tensor& values) override;
  torch::Tensor& flat(State state);

  FlatParameters flat_;
  std::optional<ExactSum> exact_;  // of the rounds so far
  AdamW adamw_;
};

}  // namespace prefixmem::trainer
