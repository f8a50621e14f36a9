#include "worker/trainer/adapters/lora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "common/random.h"
#include "worker/trainer/adapters/initial_values.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/ops/dora.h"

namespace prefixmem::trainer {
namespace {

double scale_of(const LoraMethod& method) {
  const auto r = static_cast<double>(method.r);
  return method.alpha / (method.use_rslora ? std::sqrt(r) : r);
}

torch::Tensor initial_a(const LoraMethod& method, int64_t in, uint64_t seed,
                        const std::string& name) {
  if (method.init_weights == LoraMethod::Init::kGaussian) {
    return normal_values({method.r, in}, 1 / static_cast<double>(method.r), seed, name);
  }
  return uniform_values({method.r, in}, 1 / std::sqrt(static_cast<double>(in)), seed, name);
}

}  // namespace

Result<std::unique_ptr<LoraAdapter>> LoraAdapter::make(const LoraMethod& method,
                                                       const AdapterContext& context) {
  PM_ASSIGN(LoraTargets targets,
            find_lora_targets(method.target_modules, context.model.num_layers));
  if (context.decoder == nullptr && (method.use_dora || method.bias != LoraMethod::Bias::kNone)) {
    return internal_error("an adapter with use_dora or biases is made without its decoder");
  }
  std::unique_ptr<LoraAdapter> adapter(new LoraAdapter(method, std::move(targets)));
  for (int64_t layer = 0; layer < context.model.num_layers; ++layer) {
    for (size_t site = 0; site < kSites; ++site) {
      adapter->add_module(layer, static_cast<Site>(site), context);
    }
  }
  return adapter;
}

LoraAdapter::LoraAdapter(const LoraMethod& method, LoraTargets targets)
    : method_(method),
      scale_(scale_of(method)),
      targets_(std::move(targets)),
      modules_(targets_.size()) {}

int64_t LoraAdapter::first_layer() const {
  const auto trained = [](const Module& module) { return module.a >= 0 || module.bias >= 0; };
  const auto first = std::find_if(modules_.begin(), modules_.end(), [&](const auto& layer) {
    return std::any_of(layer.begin(), layer.end(), trained);
  });
  return first - modules_.begin();
}

bool LoraAdapter::trains_bias(int64_t layer, Site site) const {
  return method_.bias == LoraMethod::Bias::kAll || (method_.bias == LoraMethod::Bias::kLoraOnly &&
                                                    targets_[layer][static_cast<size_t>(site)]);
}

void LoraAdapter::add_module(int64_t layer, Site site, const AdapterContext& context) {
  const bool target = targets_[layer][static_cast<size_t>(site)];
  const std::string name = "base_model.model." + module_name(layer, site);
  Module& module = modules_[layer][static_cast<size_t>(site)];
  module.place = random_bits({text_key(name)});
  if (target) add_update(module, site, name, context);
  if (target && method_.use_dora) {
    const LinearWeights& frozen = context.decoder->linear_weights(layer, site);
    module.magnitude = add(
        name + ".lora_magnitude_vector",
        dora_norms(frozen.weight, parameters_[module.b].value, parameters_[module.a].value, scale_),
        method_.loraplus_lr_ratio);
  }
  if (!trains_bias(layer, site) || !linear_shape(site, context.model).bias) return;
  const torch::Tensor& bias = context.decoder->linear_weights(layer, site).bias;
  module.bias = add(name + (target ? ".base_layer.bias" : ".bias"),
                    bias.to(at::kFloat, false, true), method_.loraplus_lr_ratio);
}

void LoraAdapter::add_update(Module& module, Site site, const std::string& name,
                             const AdapterContext& context) {
  const LinearShape shape = linear_shape(site, context.model);
  const std::string down = name + ".lora_A.weight";
  module.a = add(down, initial_a(method_, shape.in, context.seed, down).to(context.device), 1);
  module.b =
      add(name + ".lora_B.weight",
          at::zeros({shape.out, method_.r}, at::TensorOptions(context.device).dtype(at::kFloat)),
          method_.loraplus_lr_ratio);
}

int64_t LoraAdapter::add(const std::string& name, const torch::Tensor& value, double rate_ratio) {
  parameters_.push_back({name, value.requires_grad_(), rate_ratio});
  return static_cast<int64_t>(parameters_.size()) - 1;
}

}  // namespace prefixmem::trainer
