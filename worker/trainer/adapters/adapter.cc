#include "worker/trainer/adapters/adapter.h"

#include "worker/trainer/adapters/lora.h"
#include "worker/trainer/adapters/prefix_memory.h"

namespace prefixmem::trainer {
namespace {

using Made = Result<std::unique_ptr<Adapter>>;

struct Maker {
  const ModelConfig& model;
  const uint64_t seed;
  const torch::Device device;

  Made operator()(const PrefixMemoryMethod&) const {
    return std::unique_ptr<Adapter>(std::make_unique<PrefixMemoryAdapter>(model, device));
  }
  Made operator()(const LoraMethod& method) const {
    PM_ASSIGN(auto lora, LoraAdapter::make(method, model, seed, device));
    return std::unique_ptr<Adapter>(std::move(lora));
  }
  Made operator()(const NoMethod&) const { return std::unique_ptr<Adapter>(); }
};

}  // namespace

std::string_view site_name(Site site) {
  constexpr std::string_view kNames[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                         "gate_proj", "up_proj", "down_proj"};
  return kNames[static_cast<size_t>(site)];
}

torch::Tensor Adapter::linear_delta(int64_t, Site, const torch::Tensor&) { return {}; }

torch::Tensor Adapter::attention_delta(int64_t, const torch::Tensor&) { return {}; }

int64_t Adapter::parameter_count() {
  int64_t count = 0;
  for (const Parameter& parameter : parameters()) count += parameter.value.numel();
  return count;
}

Made make_adapter(const MethodSpec& method, const ModelConfig& model, uint64_t seed,
                  torch::Device device) {
  return std::visit(Maker{model, seed, device}, method);
}

}  // namespace prefixmem::trainer
