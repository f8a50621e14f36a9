#include <nlohmann/json.hpp>

#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/adapters/lora.h"
#include "worker/trainer/model/config_fields.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

json number(double value) {
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? json(whole) : json(value);
}

// Settings of PEFT under which the same tensors mean something else, or more than they say.
void refuse_variants(ConfigFields& fields) {
  for (const char* key :
       {"use_dora", "use_rslora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out"}) {
    fields.equal(key, false);
  }
  for (const char* key : {"rank_pattern", "alpha_pattern"}) fields.equal(key, json::object());
  for (const char* key : {"modules_to_save", "layer_replication", "target_parameters",
                          "trainable_token_indices", "alora_invocation_tokens"}) {
    fields.absent(key);
  }
  fields.equal("bias", "none");
}

}  // namespace

Status LoraAdapter::save(const std::filesystem::path& folder, const std::string& base_model) const {
  json targets = json::array();
  for (const Site site : targets_) targets.push_back(site_name(site));
  return save_adapter_files(folder, parameters_,
                            {{"peft_type", "LORA"},
                             {"task_type", "CAUSAL_LM"},
                             {"base_model_name_or_path", base_model},
                             {"r", method_.r},
                             {"lora_alpha", number(method_.alpha)},
                             {"lora_dropout", 0.0},
                             {"target_modules", targets},
                             {"bias", "none"},
                             {"fan_in_fan_out", false},
                             {"init_lora_weights", true},
                             {"inference_mode", true},
                             {"use_dora", false},
                             {"use_rslora", false}});
}

Status LoraAdapter::load(const std::filesystem::path& folder) {
  PM_ASSIGN(const json config, read_adapter_config(folder));
  ConfigFields fields(config);
  fields.choice(fields.has("peft_type") ? "peft_type" : "method", {"LORA"});
  refuse_variants(fields);
  if (fields.size("r") != method_.r) fields.fail("r", std::to_string(method_.r));
  if (fields.number("lora_alpha") != method_.alpha) {
    fields.fail("lora_alpha", number(method_.alpha).dump());
  }
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  return load_parameters(folder, parameters_);
}

}  // namespace prefixmem::trainer
