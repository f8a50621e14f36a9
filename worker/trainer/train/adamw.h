// AdamW with decoupled weight decay (arXiv 1711.05101), on flat fp32 buffers.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace prefixmem::trainer {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

// Of each value, fp32 like the values; undefined: all 1.
struct ValueRatios {
  torch::Tensor learning_rate;  // its own over step()'s
  torch::Tensor weight_decay;   // its own over the options'
};

// Equal to torch.optim.AdamW, each value in a group of its ratios. Its whole state is the two
// moments and the number of steps.
class AdamW {
 public:
  // Buffers like `values`.
  AdamW(const torch::Tensor& values, const AdamWOptions& options, const ValueRatios& ratios = {});

  // Updates `values` in place from `gradients`.
  void step(torch::Tensor& values, const torch::Tensor& gradients, double learning_rate);

  torch::Tensor& first_moment() { return first_moment_; }
  torch::Tensor& second_moment() { return second_moment_; }
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  const AdamWOptions options_;
  const torch::Tensor rate_ratios_, decay_ratios_;  // the second is of rate times decay
  torch::Tensor first_moment_, second_moment_;
  int64_t steps_ = 0;
};

}  // namespace prefixmem::trainer
