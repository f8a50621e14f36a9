#include <ATen/ATen.h>

#include "worker/trainer/adapters/lora.h"
#include "worker/trainer/ops/dora.h"
#include "worker/trainer/ops/dropout.h"

namespace prefixmem::trainer {

torch::Tensor LoraAdapter::linear_delta(const LinearCall& call) {
  const Module& module = modules_[call.layer][static_cast<size_t>(call.site)];
  torch::Tensor delta = module.a < 0 ? torch::Tensor() : update(module, call);
  if (module.bias < 0) return delta;
  const torch::Tensor shift =
      (parameters_[module.bias].value - call.frozen.bias).to(call.x.scalar_type());
  return delta.defined() ? delta + shift : shift.expand({call.x.size(0), shift.size(0)});
}

std::optional<LowRank> LoraAdapter::low_rank(int64_t layer, Site site, bool drops) {
  const Module& module = modules_[layer][static_cast<size_t>(site)];
  const bool plain = module.a >= 0 && module.magnitude < 0 && module.bias < 0;
  if (!plain || (drops && method_.dropout > 0)) return {};
  return matrices(module);
}

LowRank LoraAdapter::matrices(const Module& module) const {
  return {parameters_[module.a].value, parameters_[module.b].value, scale_};
}

torch::Tensor LoraAdapter::update(const Module& module, const LinearCall& call) const {
  const bool drops = method_.dropout > 0 && call.dropout_keys.defined();
  const torch::Tensor x =
      drops ? dropout(call.x, call.dropout_keys, module.place, method_.dropout) : call.x;
  torch::Tensor added = low_rank_product(x, matrices(module));
  if (module.magnitude < 0) return added;
  if (drops) return rescaled(module, call, at::linear(x, call.frozen.weight), added);
  return rescaled(module, call, call.frozen.bias.defined() ? call.y - call.frozen.bias : call.y,
                  added);
}

torch::Tensor LoraAdapter::rescaled(const Module& module, const LinearCall& call,
                                    const torch::Tensor& base, const torch::Tensor& added) const {
  const torch::Tensor norms = dora_norms(call.frozen.weight, parameters_[module.b].value,
                                         parameters_[module.a].value, scale_);
  return dora_delta(base, added, parameters_[module.magnitude].value / norms - 1);
}

}  // namespace prefixmem::trainer
