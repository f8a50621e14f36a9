// The feature maps of PrefixMemory: phi(x) and what it makes of a gradient.
#pragma once

#include <torch/types.h>

#include "worker/trainer/ops/feature_memory.h"

namespace prefixmem::trainer::feature_maps {

struct Gradients {
  torch::Tensor x, weight, bias;
};

// Each: features(x, weights) and gradients(gradient, x, weights), x [heads, T, d] and the
// gradient [heads, T, features] in x's dtype. Elementwise maps have no weights.
struct Elu {
  static torch::Tensor features(const torch::Tensor& x, const FeatureWeights&);
  static Gradients gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                             const FeatureWeights&);
};

struct EluPlusOne {
  static torch::Tensor features(const torch::Tensor& x, const FeatureWeights&);
  static Gradients gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                             const FeatureWeights&);
};

struct Gelu {
  static torch::Tensor features(const torch::Tensor& x, const FeatureWeights&);
  static Gradients gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                             const FeatureWeights&);
};

// Gradients of weight and bias are of their dtype.
struct Mlp {
  static torch::Tensor features(const torch::Tensor& x, const FeatureWeights& weights);
  static Gradients gradients(const torch::Tensor& gradient, const torch::Tensor& x,
                             const FeatureWeights& weights);
};

}  // namespace prefixmem::trainer::feature_maps
