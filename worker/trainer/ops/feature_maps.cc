#include "worker/trainer/ops/feature_maps.h"

#include <ATen/ATen.h>

namespace prefixmem::trainer::feature_maps {

torch::Tensor Elu::features(const torch::Tensor& x, const FeatureWeights&) { return at::elu(x); }

Gradients Elu::gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                         const FeatureWeights&) {
  return {at::elu_backward(gradient, 1, 1, 1, false, x), {}, {}};
}

// As exp(x) below zero, where elu(x) + 1 would be rounded twice.
torch::Tensor EluPlusOne::features(const torch::Tensor& x, const FeatureWeights&) {
  return at::where(x.gt(0), x.add(1), x.exp());
}

Gradients EluPlusOne::gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                                const FeatureWeights& weights) {
  return Elu::gradients(gradient, x, weights);
}

torch::Tensor Gelu::features(const torch::Tensor& x, const FeatureWeights&) {
  return at::gelu(x, "none");
}

Gradients Gelu::gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                          const FeatureWeights&) {
  return {at::gelu_backward(gradient, x, "none"), {}, {}};
}

torch::Tensor Mlp::features(const torch::Tensor& x, const FeatureWeights& weights) {
  const auto dtype = x.scalar_type();
  const torch::Tensor bias = weights.bias.to(dtype).unsqueeze(1);
  return at::baddbmm(bias, x, weights.weight.to(dtype).transpose(1, 2)).relu_();
}

Gradients Mlp::gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                         const FeatureWeights& weights) {
  const auto wide = weights.weight.scalar_type();
  const torch::Tensor passed = at::threshold_backward(gradient, features(x, weights), 0);
  const torch::Tensor wide_passed = passed.to(wide);
  return {at::bmm(passed, weights.weight.to(x.scalar_type())),
          at::bmm(wide_passed.transpose(1, 2), x.to(wide)), wide_passed.sum(1)};
}

}  // namespace prefixmem::trainer::feature_maps
