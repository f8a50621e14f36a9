#include "worker/trainer/diagnosis/attention_map.h"

#include <ATen/ATen.h>

#include <limits>

namespace prefixmem::trainer {
namespace {

// Keys that a token does not see: bool [T, p + T].
torch::Tensor unseen(int64_t tokens, int64_t prefix, int64_t window) {
  const torch::Tensor keys = at::arange(prefix + tokens);
  const torch::Tensor own = (at::arange(tokens) + prefix).unsqueeze(1);
  const torch::Tensor later = keys > own;
  return window == 0 ? later : later.logical_or(keys <= own - window);
}

}  // namespace

AttentionMap attention_map(const torch::Tensor& query, const torch::Tensor& key, int64_t window,
                           double scale) {
  const int64_t tokens = query.size(0), prefix = key.size(0) - tokens;
  const torch::Tensor scores =
      query.to(at::kDouble)
          .matmul(key.to(at::kDouble).t())
          .mul_(scale)
          .masked_fill_(unseen(tokens, prefix, window), -std::numeric_limits<double>::infinity());
  AttentionMap map;
  map.whole = scores.softmax(1);
  map.input = scores.narrow(1, prefix, tokens).softmax(1);
  map.prefix_mass = map.whole.narrow(1, 0, prefix).sum(1);
  return map;
}

torch::Tensor total_variation(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().sum(1) / 2;
}

}  // namespace prefixmem::trainer
