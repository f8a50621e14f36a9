#include "worker/trainer/train/gradient_norm.h"

#include <ATen/ATen.h>

#include <vector>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kNormBlock = 1 << 20;

}  // namespace

// In blocks: on a CPU, at::norm of a long fp32 buffer is off by 1e-4 at five million values.
double norm_of(const torch::Tensor& values) {
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
