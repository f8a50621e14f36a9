#include "worker/trainer/train/sharded_optimizer.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>

#include "worker/trainer/train/gradient_norm.h"

namespace prefixmem::trainer {
namespace {

torch::Tensor& part(Bucket& bucket, State state) {
  switch (state) {
    case State::kFirstMoment:
      return bucket.adamw.first_moment();
    case State::kSecondMoment:
      return bucket.adamw.second_moment();
    case State::kValue:
      break;
  }
  return bucket.values;
}

// This rank's share of the values [begin, begin + count), as bytes.
std::string own_bytes(Bucket& bucket, State state, int64_t begin, int64_t count) {
  const Overlap mine = overlap(begin, count, bucket.own_begin, bucket.own.numel());
  if (mine.count <= 0) return {};
  const torch::Tensor values =
      part(bucket, state).narrow(0, mine.begin - bucket.own_begin, mine.count).cpu();
  return {static_cast<const char*>(values.const_data_ptr()), values.nbytes()};
}

}  // namespace

ShardedOptimizer::ShardedOptimizer(std::vector<Parameter>& parameters, Collective& gang,
                                   const AdamWOptions& options, int64_t bucket_values)
    : Optimizer(parameters, gang),
      buckets_(make_buckets(parameters, gang.rank(), gang.size(), options, bucket_values)),
      reducer_(parameters, buckets_, [this](torch::Tensor& whole, torch::Tensor& part) {
        return timed([&] { return gang_.reduce_scatter_sum(whole, part); });
      }) {}

void ShardedOptimizer::zero_gradients() {
  start_clock();
  for (Bucket& bucket : buckets_) bucket.gradient.zero_();
}

Result<double> ShardedOptimizer::clip_gradients(double max_norm) {
  const torch::NoGradGuard no_grad;
  double squares = 0;
  for (const Bucket& bucket : buckets_) {
    const double norm = norm_of(bucket.gradient);
    squares += norm * norm;
  }
  PM_TRY(timed([&] { return gang_.all_reduce_sum({&squares, 1}); }));
  const double norm = std::sqrt(squares);
  const double scale = clip_factor(norm, max_norm);
  if (scale == 1) return norm;
  for (Bucket& bucket : buckets_) bucket.gradient.mul_(scale);
  return norm;
}

Status ShardedOptimizer::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  for (Bucket& bucket : buckets_) {
    bucket.adamw.step(bucket.values, bucket.gradient, learning_rate);
    if (!bucket.in_place()) bucket.own.copy_(bucket.values);
    PM_TRY(timed([&] { return gang_.all_gather(bucket.weights); }));
  }
  return {};
}

void ShardedOptimizer::set_steps(int64_t steps) {
  for (Bucket& bucket : buckets_) bucket.adamw.set_steps(steps);
}

Result<torch::Tensor> ShardedOptimizer::gather(State state, size_t index) {
  const torch::NoGradGuard no_grad;
  const int64_t begin = flat_begins(parameters_)[index], count = parameters_[index].value.numel();
  torch::Tensor whole;
  if (gang_.rank() == 0) whole = at::empty({count}, at::kFloat);
  char* next = whole.defined() ? static_cast<char*>(whole.mutable_data_ptr()) : nullptr;
  for (Bucket& bucket : buckets_) {
    const Overlap common = overlap(begin, count, bucket.begin, bucket.weights.numel());
    if (common.count <= 0) continue;
    PM_ASSIGN(const auto parts,
              gang_.all_gather(own_bytes(bucket, state, common.begin, common.count)));
    for (const std::string& bytes : parts) {
      if (next == nullptr) break;
      next = std::copy(bytes.begin(), bytes.end(), next);
    }
  }
  return whole;
}

void ShardedOptimizer::place(State state, int64_t begin, const torch::Tensor& values) {
  for (Bucket& bucket : buckets_) {
    const auto copy = [&](torch::Tensor& to, int64_t to_begin) {
      const Overlap common = overlap(begin, values.numel(), to_begin, to.numel());
      if (common.count <= 0) return;
      to.narrow(0, common.begin - to_begin, common.count)
          .copy_(values.narrow(0, common.begin - begin, common.count));
    };
    copy(part(bucket, state), bucket.own_begin);
    if (state == State::kValue) copy(bucket.weights, bucket.begin);
  }
}

int64_t ShardedOptimizer::state_bytes() const {
  int64_t values = 0;
  for (const Bucket& bucket : buckets_) values += bucket.own.numel() * (bucket.in_place() ? 3 : 4);
  return values * static_cast<int64_t>(sizeof(float));
}

}  // namespace prefixmem::trainer
