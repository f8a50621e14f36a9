#include <torch/autograd.h>

#include <nlohmann/json.hpp>

#include "common/model/config_fields.h"
#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/adapters/prefix_tuning.h"

namespace prefixmem::trainer {

using nlohmann::json;

Status PrefixTuningAdapter::save(const std::filesystem::path& folder,
                                 const std::string& base_model) const {
  const torch::NoGradGuard no_grad;
  const bool zero = method_.init_weights == PrefixTuningMethod::Init::kZero;
  return save_adapter_files(folder, {{"prompt_embeddings", flattened()}},
                            {{"peft_type", "PREFIX_TUNING"},
                             {"task_type", "CAUSAL_LM"},
                             {"base_model_name_or_path", base_model},
                             {"inference_mode", true},
                             {"num_virtual_tokens", method_.num_virtual_tokens},
                             {"num_layers", sizes_.layers},
                             {"num_attention_heads", sizes_.key_heads},
                             {"token_dim", sizes_.token()},
                             {"num_transformer_submodules", 1},
                             {"encoder_hidden_size", inner_},
                             {"prefix_projection", false},
                             {"init_weights", zero ? json("zero") : json()}});
}

Status PrefixTuningAdapter::load(const std::filesystem::path& folder) {
  if (method_.prefix_projection) {
    return invalid_argument(folder.string() +
                            " holds a prefix as it came out of a projection, not the projection; "
                            "allowed: with prefix_projection false");
  }
  PM_ASSIGN(const json config, read_adapter_config(folder));
  ConfigFields fields(config);
  fields.choice(fields.has("peft_type") ? "peft_type" : "method", {"PREFIX_TUNING"});
  for (const auto& [key, ours] :
       {std::pair("num_virtual_tokens", method_.num_virtual_tokens),
        std::pair("num_layers", sizes_.layers), std::pair("num_attention_heads", sizes_.key_heads),
        std::pair("token_dim", sizes_.token())}) {
    if (fields.size(key) != ours) fields.fail(key, std::to_string(ours));
  }
  fields.equal("num_transformer_submodules", 1);
  fields.absent("modules_to_save");
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  return load_parameters(folder, parameters_);
}

}  // namespace prefixmem::trainer
