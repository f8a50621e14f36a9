#include "worker/trainer/train/gradient_reducer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "worker/trainer/train/optimizer.h"

namespace prefixmem::trainer {
namespace {

struct Hook final : torch::autograd::PostAccumulateGradHook {
  explicit Hook(std::function<void()> what) : call(std::move(what)) {}
  void operator()(const torch::Tensor&) override { call(); }
  const std::function<void()> call;
};

}  // namespace

GradientReducer::GradientReducer(std::vector<Parameter>& parameters, std::vector<Bucket>& buckets,
                                 Reduce reduce)
    : parameters_(parameters),
      buckets_(buckets),
      reduce_(std::move(reduce)),
      begins_(flat_begins(parameters)),
      pending_(buckets.size()) {
  start_round();
  for (size_t i = 0; i < parameters.size(); ++i) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameters[i].value,
                                                   std::make_unique<Hook>([this, i] { take(i); }));
  }
}

GradientReducer::~GradientReducer() {
  for (const Parameter& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.value, nullptr);
  }
}

Status GradientReducer::finish_round() {
  while (left_ > 0) reduce_next();
  start_round();
  return failure_;
}

void GradientReducer::start_round() {
  const int64_t values = begins_.back() + parameters_.back().value.numel();  // without padding
  for (size_t i = 0; i < buckets_.size(); ++i) {
    pending_[i].missing = std::min(buckets_[i].end(), values) - buckets_[i].begin;
  }
  left_ = buckets_.size();
}

void GradientReducer::take(size_t parameter) {
  const torch::NoGradGuard no_grad;
  torch::Tensor& slot = parameters_[parameter].value.mutable_grad();
  const torch::Tensor gradient = slot.reshape({-1});
  slot.reset();
  const int64_t begin = begins_[parameter], size = buckets_.front().weights.numel();
  const auto last = static_cast<size_t>((begin + gradient.numel() - 1) / size);
  for (auto bucket = last + 1; bucket-- > static_cast<size_t>(begin / size);) {
    take(bucket, begin, gradient);
    while (left_ > 0 && pending_[left_ - 1].missing == 0) reduce_next();
  }
}

void GradientReducer::take(size_t bucket, int64_t begin, const torch::Tensor& gradient) {
  const torch::Tensor& weights = buckets_[bucket].weights;
  Pending& pending = pending_[bucket];
  if (!pending.gradient.defined()) pending.gradient = zero_buffer(weights);
  const Overlap common = overlap(begin, gradient.numel(), buckets_[bucket].begin, weights.numel());
  pending.gradient.narrow(0, common.begin - buckets_[bucket].begin, common.count)
      .copy_(gradient.narrow(0, common.begin - begin, common.count));
  pending.missing -= common.count;
}

// The pages of a buffer that was used are there; new ones cost more than what is done with them.
torch::Tensor GradientReducer::zero_buffer(const torch::Tensor& weights) {
  if (spare_.defined() && spare_.numel() == weights.numel()) {
    return std::exchange(spare_, {}).zero_();
  }
  return at::zeros(weights.sizes(), weights.options().dtype(at::kFloat));
}

void GradientReducer::reduce_next() {
  Bucket& bucket = buckets_[--left_];
  torch::Tensor whole = std::exchange(pending_[left_].gradient, {});
  if (!failure_.ok()) return;
  if (!whole.defined()) whole = zero_buffer(bucket.weights);
  if (!part_.defined()) part_ = at::empty_like(buckets_.front().gradient);
  torch::Tensor part = part_.narrow(0, 0, bucket.gradient.numel());
  failure_ = reduce_(whole, part);
  if (failure_.ok()) bucket.gradient.add_(part);
  const bool is_last = bucket.weights.numel() < buckets_.front().weights.numel();
  if (!is_last) spare_ = std::move(whole);  // of whose size there is no other
}

}  // namespace prefixmem::trainer
