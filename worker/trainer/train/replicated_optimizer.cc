#include "worker/trainer/train/replicated_optimizer.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

namespace prefixmem::trainer {

ReplicatedOptimizer::ReplicatedOptimizer(std::vector<Parameter>& parameters, Collective& gang,
                                         const AdamWOptions& options, bool exact)
    : Optimizer(parameters, gang),
      flat_(parameters),
      adamw_(flat_.values(), options, flat_.ratios()) {
  if (exact) exact_.emplace(flat_.count(), gang.device());
}

void ReplicatedOptimizer::zero_gradients() {
  start_clock();
  flat_.zero_gradients();
  if (exact_) exact_->clear();
}

Status ReplicatedOptimizer::after_backward() {
  if (!exact_) return {};
  exact_->add(flat_.gradients());
  flat_.zero_gradients();
  return {};
}

Status ReplicatedOptimizer::sum_gradients() {
  if (!exact_) return timed([&] { return gang_.all_reduce_sum(flat_.gradients()); });
  PM_TRY(timed([&] { return exact_->sum_over(gang_); }));
  flat_.gradients().copy_(exact_->value());
  return {};
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
  const size_t exact = exact_ ? 3 * sizeof(int64_t) : 0;
  return flat_.count() * static_cast<int64_t>(3 * sizeof(float) + exact);
}

}  // namespace prefixmem::trainer
