#include "worker/trainer/adapters/lora_config.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/model/config_fields.h"
#include "common/spec/enums.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

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
    fields.fail("lora_alpha", number_json(method.alpha).dump());
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

Status check_lora_config(const json& config, const LoraMethod& method) {
  ConfigFields fields(config);
  fields.choice(fields.has("peft_type") ? "peft_type" : "method", {"LORA"});
  refuse_variants(fields);
  check_init(config, fields);
  check_same(method, fields);
  return fields.status();
}

json number_json(double value) {
  constexpr double kExact = int64_t{1} << 53;
  const bool whole = std::abs(value) <= kExact && std::trunc(value) == value;
  return whole ? json(static_cast<int64_t>(value)) : json(value);
}

}  // namespace prefixmem::trainer
