#include "worker/trainer/train/bucket.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <algorithm>

namespace prefixmem::trainer {
namespace {

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// One parameter at a time: what it was is freed before the next is copied.
torch::Tensor move_into_one(std::vector<Parameter>& parameters, int64_t ranks) {
  int64_t count = 0;
  for (const Parameter& parameter : parameters) count += parameter.value.numel();
  const int64_t padded = round_up(count, ranks);
  torch::Tensor flat = at::empty({padded}, parameters.at(0).value.detach().options());
  int64_t begin = 0;
  for (Parameter& parameter : parameters) {
    torch::Tensor& value = parameter.value;
    const torch::Tensor view = flat.narrow(0, begin, value.numel()).view(value.sizes());
    view.copy_(value.detach());
    value.set_data(view);
    begin += value.numel();
  }
  flat.narrow(0, count, padded - count).zero_();
  return flat;
}

Bucket make_bucket(const torch::Tensor& weights, int64_t begin, int rank, int ranks,
                   const AdamWOptions& options) {
  const int64_t part = weights.numel() / ranks;
  const torch::Tensor own = weights.narrow(0, rank * part, part);
  const bool fp32 = own.scalar_type() == at::kFloat;
  const torch::Tensor values = fp32 ? own : own.to(at::kFloat);
  return {begin,
          begin + rank * part,
          weights,
          own,
          values,
          at::zeros_like(values),
          AdamW(values, options)};
}

}  // namespace

std::vector<Bucket> make_buckets(std::vector<Parameter>& parameters, int rank, int ranks,
                                 const AdamWOptions& options, int64_t most_values) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor flat = move_into_one(parameters, ranks);
  const int64_t size = round_up(most_values, ranks);
  std::vector<Bucket> buckets;
  for (int64_t begin = 0; begin < flat.numel(); begin += size) {
    const int64_t count = std::min(size, flat.numel() - begin);
    buckets.push_back(make_bucket(flat.narrow(0, begin, count), begin, rank, ranks, options));
  }
  return buckets;
}

Overlap overlap(int64_t begin, int64_t count, int64_t other, int64_t other_count) {
  const int64_t first = std::max(begin, other);
  return {first, std::min(begin + count, other + other_count) - first};
}

}  // namespace prefixmem::trainer
