#include "worker/trainer/train/replicated_optimizer.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

namespace prefixmem::trainer {

ReplicatedOptimizer::ReplicatedOptimizer(std::vector<Parameter>& parameters, Collective& gang,
                                         const AdamWOptions& options)
    : Optimizer(parameters, gang),
      flat_(parameters),
      adamw_(flat_.values(), options, flat_.ratios()) {}

void ReplicatedOptimizer::zero_gradients() {
  start_clock();
  flat_.zero_gradients();
}

Status ReplicatedOptimizer::sum_gradients() {
  return timed([&] { return gang_.all_reduce_sum(flat_.gradients()); });
}

Result<double> ReplicatedOptimizer::clip_gradients(double max_norm) {
  return flat_.clip_gradients(max_norm);
}

Status ReplicatedOptimizer::step(double learning_rate) {
  adamw_.step(flat_.values(), flat_.gradients(), learning_rate);
  return {};
}

Result<torch::Tensor> ReplicatedOptimizer::gather(State state, size_t index) {
  if (gang_.rank() != 0) return torch::Tensor();
  const int64_t begin = flat_begins(parameters_)[index], count = parameters_[index].value.numel();
  return flat(state).narrow(0, begin, count).cpu();
}

void ReplicatedOptimizer::place(State state, int64_t begin, const torch::Tensor& values) {
  flat(state).narrow(0, begin, values.numel()).copy_(values);
}

torch::Tensor& ReplicatedOptimizer::flat(State state) {
  switch (state) {
    case State::kFirstMoment:
      return adamw_.first_moment();
    case State::kSecondMoment:
      return adamw_.second_moment();
    case State::kValue:
      break;
  }
  return flat_.values();
}

int64_t ReplicatedOptimizer::state_bytes() const {
  return 3 * flat_.count() * static_cast<int64_t>(sizeof(float));
}

}  // namespace prefixmem::trainer
