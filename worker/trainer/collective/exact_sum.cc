#include "worker/trainer/collective/exact_sum.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

namespace prefixmem::trainer {
namespace {

const double kCoarse = std::ldexp(1, 24), kFine = std::ldexp(1, 74);
const double kLargest = std::ldexp(1, 25);

}  // namespace

ExactSum::ExactSum(int64_t count, torch::Device device)
    : limbs_(at::zeros({3, count}, at::TensorOptions(device).dtype(at::kLong))) {}

void ExactSum::clear() { limbs_.zero_(); }

// Scaling by powers of two and the difference are exact in fp64.
void ExactSum::add(const torch::Tensor& values) {
  const torch::Tensor whole = values.to(at::kDouble);
  const torch::Tensor wrong = whole.abs().lt(kLargest).logical_not_();  // also of NaN
  const torch::Tensor taken = whole.masked_fill(wrong, 0);
  const torch::Tensor coarse = taken.mul(kCoarse).round_();
  const torch::Tensor left = taken.sub(coarse, 1 / kCoarse).mul_(kFine).round_();
  limbs_[0].add_(coarse.to(at::kLong));
  limbs_[1].add_(left.to(at::kLong));
  limbs_[2].add_(wrong);
}

Status ExactSum::sum_over(Collective& gang) {
  torch::Tensor on_gang = limbs_.to(gang.device());
  PM_TRY(gang.all_reduce_sum(on_gang));
  limbs_ = on_gang.to(limbs_.device());
  return {};
}

torch::Tensor ExactSum::value() const {
  const torch::Tensor sum = limbs_[0].to(at::kDouble).div_(kCoarse);
  return sum.add_(limbs_[1].to(at::kDouble), 1 / kFine)
      .masked_fill_(limbs_[2].ne(0), std::numeric_limits<double>::quiet_NaN());
}

}  // namespace prefixmem::trainer
