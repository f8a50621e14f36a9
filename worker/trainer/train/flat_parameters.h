// All trained values in one buffer and all their gradients in another: one sum over the ranks, one
// optimizer call, one norm.
#pragma once

#include <torch/types.h>

#include <vector>

#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/train/adamw.h"

namespace prefixmem::trainer {

class FlatParameters {
 public:
  // Moves the parameters' values into the buffer, in their order; from then on each
  // Parameter::value and its .grad() are views of it. The parameters must be fp32 leaves on one
  // device and outlive this.
  explicit FlatParameters(std::vector<Parameter>& parameters);

  torch::Tensor& values() { return values_; }        // fp32 [count]
  torch::Tensor& gradients() { return gradients_; }  // fp32 [count]
  // Of each value its Parameter::learning_rate_ratio, and 0 for the weight decay of biases, which
  // PEFT's optimizer for LoRA+ and transformers' Trainer leave as they are.
  const ValueRatios& ratios() const { return ratios_; }
  int64_t count() const { return values_.numel(); }

  void zero_gradients() { gradients_.zero_(); }
  // Scales the gradients down to `max_norm` where their global norm is larger (0: never), as
  // torch.nn.utils.clip_grad_norm_ does. Returns the norm before.
  double clip_gradients(double max_norm);

 private:
  torch::Tensor values_, gradients_;
  ValueRatios ratios_;
};

}  // namespace prefixmem::trainer
