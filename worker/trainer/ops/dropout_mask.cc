#include "worker/trainer/ops/dropout_mask.h"

#include <ATen/ATen.h>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kLow = 0xffffffff;

// 32-bit arithmetic in int64, whose upper half is cleared after each product or sum.
torch::Tensor& multiply(torch::Tensor& x, int64_t factor) {
  return x.mul_(factor).bitwise_and_(kLow);
}

torch::Tensor& fold(torch::Tensor& x, int64_t shift) {
  return x.bitwise_xor_(x.bitwise_right_shift(shift));
}

}  // namespace

torch::Tensor dropout_mask(const torch::Tensor& rows, int64_t columns, double p) {
  const torch::Tensor low = rows.bitwise_and(kLow).unsqueeze(1);
  const torch::Tensor high = rows.bitwise_right_shift(32).bitwise_and_(kLow).unsqueeze(1);
  torch::Tensor steps = at::arange(columns, rows.options());
  torch::Tensor x = (low + multiply(steps, 0x9e3779b9)).bitwise_and_(kLow);
  multiply(fold(x, 16), 0x7feb352d).bitwise_xor_(high);
  multiply(fold(x, 16), 0x21f0aaad);
  multiply(fold(x, 15), 0x735a2d97);
  return fold(x, 15).lt(static_cast<int64_t>(dropout_threshold(p)));
}

}  // namespace prefixmem::trainer
