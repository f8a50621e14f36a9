#include <nlohmann/json.hpp>

#include "common/spec/enums.h"
#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/adapters/lora.h"
#include "worker/trainer/adapters/lora_config.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

json init_name(LoraMethod::Init init) {
  return init == LoraMethod::Init::kGaussian ? json("gaussian") : json(true);
}

}  // namespace

Status LoraAdapter::save(const std::filesystem::path& folder, const std::string& base_model) const {
  return save_adapter_files(folder, parameters_,
                            {{"peft_type", "LORA"},
                             {"task_type", "CAUSAL_LM"},
                             {"base_model_name_or_path", base_model},
                             {"r", method_.r},
                             {"lora_alpha", number_json(method_.alpha)},
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
  PM_TRY(
      check_lora_config(config, method_).with_context((folder / "adapter_config.json").string()));
  return load_parameters(folder, parameters_);
}

}  // namespace prefixmem::trainer
