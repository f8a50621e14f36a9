#include <nlohmann/json.hpp>
#include <optional>

#include "common/spec/enums.h"
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

json init_name(LoraMethod::Init init) {
  return init == LoraMethod::Init::kGaussian ? json("gaussian") : json(true);
}

// Settings of PEFT under which the same tensors mean something else, or more than they say.
void refuse_variants(ConfigFields& fields) {
  for (const char* key : {"use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out"}) {
    fields.equal(key, false);
  }
  for (const char* key : {"rank_pattern", "alpha_pattern"}) fields.equal(key, json::object());
  for (const char* key : {"modules_to_save", "layer_replication", "target_parameters",
                          "trainable_token_indices", "alora_invocation_tokens", "arrow_config",
                          "kasa_config", "monteclora_config", "velora_config"}) {
    fields.absent(key);
  }
}

// Other ways to begin than these change the base's weights as well.
void check_init(const json& config, ConfigFields& fields) {
  constexpr const char* kKey = "init_lora_weights";
  if (!fields.has(kKey) || config[kKey].is_boolean()) return;
  fields.choice(kKey, {"gaussian", "eva", "orthogonal"});
}

void check_same(const LoraMethod& method, ConfigFields& fields) {
  if (fields.size("r") != method.r) fields.fail("r", std::to_string(method.r));
  if (fields.number("lora_alpha") != method.alpha) {
    fields.fail("lora_alpha", number(method.alpha).dump());
  }
  const auto same_flag = [&](const char* key, bool mine) {
    if (fields.flag(key, false) != mine) fields.fail(key, mine ? "true" : "false");
  };
  same_flag("use_rslora", method.use_rslora);
  same_flag("use_dora", method.use_dora);
  const bool none = method.bias == LoraMethod::Bias::kNone;
  fields.choice("bias", {spec::spelling(method.bias)},
                none ? std::optional<size_t>(0) : std::nullopt);
}

}  // namespace

Status LoraAdapter::save(const std::filesystem::path& folder, const std::string& base_model) const {
  return save_adapter_files(folder, parameters_,
                            {{"peft_type", "LORA"},
                             {"task_type", "CAUSAL_LM"},
                             {"base_model_name_or_path", base_model},
                             {"r", method_.r},
                             {"lora_alpha", number(method_.alpha)},
                             {"lora_dropout", method_.dropout},
                             {"target_modules", peft_target_modules(targets_)},
                             {"bias", spec::spelling(method_.bias)},
                             {"fan_in_fan_out", false},
                             {"init_lora_weights", init_name(method_.init_weights)},
                             {"inference_mode", true},
                             {"use_dora", method_.use_dora},
                             {"use_rslora", method_.use_rslora}});
}

Status LoraAdapter::load(const std::filesystem::path& folder) {
  PM_ASSIGN(const json config, read_adapter_config(folder));
  ConfigFields fields(config);
  fields.choice(fields.has("peft_type") ? "peft_type" : "method", {"LORA"});
  refuse_variants(fields);
  check_init(config, fields);
  check_same(method_, fields);
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  return load_parameters(folder, parameters_);
}

}  // namespace prefixmem::trainer
