#include "worker/trainer/ops/feature_memory.h"

#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "worker/trainer/ops/cpu/elu_memory.h"
#include "worker/trainer/ops/feature_maps.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<torch::Tensor>;  // undefined tensors are no arguments of autograd

torch::Tensor by_head(const torch::Tensor& x) { return x.transpose(0, 1); }

// elu and elu + 1, in bf16 on a CPU.
class EluMemory : public torch::autograd::Function<EluMemory> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& memory, bool plus_one) {
    context->save_for_backward({x, memory});
    context->saved_data["plus_one"] = plus_one;
    return cpu::elu_memory(x, memory, plus_one);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const bool plus_one = context->saved_data["plus_one"].toBool();
    const torch::Tensor& gradient = gradients[0];
    variable_list result(3);
    if (context->needs_input_grad(0)) {
      result[0] = cpu::elu_memory_x_gradient(gradient, saved[0], saved[1], plus_one);
    }
    if (context->needs_input_grad(1)) {
      result[1] = cpu::elu_memory_gradient(gradient, saved[0], plus_one);
    }
    return result;
  }
};

template <class Map>
class FeatureMemory : public torch::autograd::Function<FeatureMemory<Map>> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& memory, const Optional& weight,
                               const Optional& bias) {
    const FeatureWeights weights{weight.value_or(torch::Tensor()), bias.value_or(torch::Tensor())};
    context->save_for_backward({x, memory, weights.weight, weights.bias});
    const torch::Tensor features = Map::features(by_head(x), weights);
    return by_head(at::bmm(features, memory.to(x.scalar_type())));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor x = by_head(saved[0]), gradient = by_head(gradients[0]);
    const torch::Tensor& memory = saved[1];
    const FeatureWeights weights{saved[2], saved[3]};
    variable_list result(4);
    if (context->needs_input_grad(1)) {
      // Wide operands, because a product of narrow ones would be rounded to their type.
      const auto wide = memory.scalar_type();
      const torch::Tensor features = Map::features(x, weights).transpose(1, 2);
      result[1] = at::bmm(features.to(wide), gradient.to(wide));
    }
    if (context->needs_input_grad(0) || weights.weight.defined()) {
      const torch::Tensor back = at::bmm(gradient, memory.to(x.scalar_type()).transpose(1, 2));
      const auto through = Map::gradients(back, x, weights);
      result[0] = by_head(through.x);
      result[2] = through.weight;
      result[3] = through.bias;
    }
    return result;
  }
};

}  // namespace

torch::Tensor feature_memory(const torch::Tensor& x, const torch::Tensor& memory, FeatureMap map,
                             const FeatureWeights& weights) {
  const bool elu = map == FeatureMap::kElu || map == FeatureMap::kEluPlusOne;
  if (elu && cpu::runs_elu_memory(x, memory)) {
    return EluMemory::apply(x, memory, map == FeatureMap::kEluPlusOne);
  }
  switch (map) {
    case FeatureMap::kElu:
      return FeatureMemory<feature_maps::Elu>::apply(x, memory, Optional(), Optional());
    case FeatureMap::kEluPlusOne:
      return FeatureMemory<feature_maps::EluPlusOne>::apply(x, memory, Optional(), Optional());
    case FeatureMap::kGelu:
      return FeatureMemory<feature_maps::Gelu>::apply(x, memory, Optional(), Optional());
    case FeatureMap::kMlp:
      break;
  }
  return FeatureMemory<feature_maps::Mlp>::apply(x, memory, Optional(weights.weight),
                                                 Optional(weights.bias));
}

}  // namespace prefixmem::trainer
