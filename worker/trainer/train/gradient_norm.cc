#include "worker/trainer/train/gradient_norm.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "worker/trainer/ops/cpu/optimizer.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kNormBlock = 1 << 20;

}  // namespace

double norm_of(const torch::Tensor& values) {
  if (values.is_cpu() && values.is_contiguous()) return std::sqrt(cpu::sum_of_squares(values));
  std::vector<torch::Tensor> norms;
  for (const torch::Tensor& block : values.split(kNormBlock)) {
    norms.push_back(at::linalg_vector_norm(block, 2, {}, false, at::kDouble));
  }
  return at::stack(norms).norm().item<double>();
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
}

}  // namespace prefixmem::trainer
