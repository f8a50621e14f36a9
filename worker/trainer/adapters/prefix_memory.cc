#include "worker/trainer/adapters/prefix_memory.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/model/config_fields.h"
#include "worker/trainer/ops/elu_memory.h"

namespace prefixmem::trainer {

PrefixMemoryAdapter::PrefixMemoryAdapter(const ModelConfig& model, torch::Device device) {
  for (int64_t layer = 0; layer < model.num_layers; ++layer) {
    const torch::Tensor memory =
        at::zeros({model.num_attention_heads, model.head_dim, model.head_dim},
                  at::TensorOptions(device).dtype(at::kFloat));
    parameters_.push_back({"model.layers." + std::to_string(layer) + ".self_attn.prefix_memory.M",
                           memory.requires_grad_()});
  }
}

torch::Tensor PrefixMemoryAdapter::attention_delta(int64_t layer, const Queries& queries) {
  return elu_memory(queries.after_rotary, parameters_[layer].value);
}

Status PrefixMemoryAdapter::save(const std::filesystem::path& folder,
                                 const std::string& base_model) const {
  return save_adapter_files(folder, parameters_,
                            {{"method", PrefixMemoryMethod::kType},
                             {"base_model_name_or_path", base_model},
                             {"feature_map", "elu"},
                             {"query", "post_rope"}});
}

Status PrefixMemoryAdapter::load(const std::filesystem::path& folder) {
  PM_ASSIGN(const nlohmann::json config, read_adapter_config(folder));
  ConfigFields fields(config);
  fields.choice(fields.has("method") ? "method" : "peft_type", {PrefixMemoryMethod::kType});
  fields.choice("feature_map", {"elu"});
  fields.choice("query", {"post_rope"});
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  return load_parameters(folder, parameters_);
}

}  // namespace prefixmem::trainer
