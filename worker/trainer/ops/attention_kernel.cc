#include "worker/trainer/ops/attention_kernel.h"

#include <ATen/ATen.h>

#include <optional>

namespace prefixmem::trainer {
namespace {

std::optional<torch::Tensor> bias_of(const AttentionPiece& piece) {
  if (!piece.mask.defined()) return std::nullopt;
  return piece.mask;
}

// The memory-efficient CUDA kernel wants a bias of the queries' dtype, expanded over heads, whose
// rows are aligned to 16 elements.
torch::Tensor cuda_bias(const AttentionPiece& piece) {
  if (!piece.mask.defined()) return {};
  const int64_t queries = piece.mask.size(0), keys = piece.mask.size(1);
  torch::Tensor rows = at::empty({queries, (keys + 15) / 16 * 16},
                                 piece.mask.options().dtype(piece.query.scalar_type()));
  torch::Tensor bias = rows.narrow(1, 0, keys);
  bias.copy_(piece.mask);
  return bias.expand({1, piece.query.size(1), queries, keys});
}

AttentionOutput attend_cuda(const AttentionPiece& piece) {
  const torch::Tensor bias = cuda_bias(piece);
  auto [out, normaliser, seed, offset] = at::_scaled_dot_product_efficient_attention(
      piece.query, piece.key, piece.value,
      bias.defined() ? std::optional<torch::Tensor>(bias) : std::nullopt, true, 0.0, piece.causal,
      piece.scale);
  return {out, normaliser.narrow(2, 0, piece.query.size(2))};
}

AttentionGradients backward_cuda(const AttentionPiece& piece, const AttentionOutput& output,
                                 const torch::Tensor& gradient) {
  // The kernel reads its normalisers in rows padded to 32 queries.
  const int64_t queries = piece.query.size(2);
  torch::Tensor padded =
      at::full({1, piece.query.size(1), (queries + 31) / 32 * 32},
               std::numeric_limits<float>::infinity(), output.normaliser.options());
  padded.narrow(2, 0, queries).copy_(output.normaliser);
  const torch::Tensor unused = at::zeros({}, piece.query.options().dtype(at::kLong));
  auto [query, key, value, bias] = at::_scaled_dot_product_efficient_attention_backward(
      gradient, piece.query, piece.key, piece.value, cuda_bias(piece), output.out, padded, unused,
      unused, 0.0, {true, true, true, false}, piece.causal, piece.scale);
  return {query, key, value};
}

}  // namespace

AttentionOutput attend(const AttentionPiece& piece) {
  if (piece.query.is_cuda()) return attend_cuda(piece);
  auto [out, normaliser] = at::_scaled_dot_product_flash_attention_for_cpu(
      piece.query, piece.key, piece.value, 0.0, piece.causal, bias_of(piece), piece.scale);
  return {out, normaliser};
}

AttentionGradients attend_backward(const AttentionPiece& piece, const AttentionOutput& output,
                                   const torch::Tensor& gradient) {
  if (piece.query.is_cuda()) return backward_cuda(piece, output, gradient);
  auto [query, key, value] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
      gradient, piece.query, piece.key, piece.value, output.out, output.normaliser, 0.0,
      piece.causal, bias_of(piece), piece.scale);
  return {query, key, value};
}

}  // namespace prefixmem::trainer
