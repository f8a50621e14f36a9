#include "worker/trainer/adapters/stored_method.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/spec/enums.h"
#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/adapters/lora_targets.h"
#include "worker/trainer/model/config_fields.h"
#include "worker/trainer/model/decoder.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

template <class Enum>
Enum spelled(ConfigFields& fields, const json& config, const char* key, Enum fallback) {
  if (!fields.has(key)) return fallback;
  const json& text = config.at(key);
  const auto value =
      text.is_string() ? spec::from_spelling<Enum>(text.get<std::string>()) : std::optional<Enum>();
  if (!value) fields.fail(key, spec::all_spellings<Enum>());
  return value.value_or(fallback);
}

PrefixMemoryMethod memory_of(ConfigFields& fields, const json& config) {
  PrefixMemoryMethod method;
  method.feature_map = spelled(fields, config, "feature_map", method.feature_map);
  method.query = spelled(fields, config, "query", method.query);
  method.scope = spelled(fields, config, "scope", method.scope);
  if (method.feature_map == PrefixMemoryMethod::FeatureMap::kMlp) {
    method.feature_dim = fields.size("feature_dim");
  }
  if (!fields.has("layers")) return method;
  method.layers.clear();
  const json& layers = config.at("layers");
  for (const json& layer : layers.is_array() ? layers : json::array()) {
    if (layer.is_number_unsigned()) method.layers.push_back(layer.dump());
  }
  if (method.layers.empty() || method.layers.size() != layers.size()) {
    fields.fail("layers", "a list of whole numbers from 0");
  }
  return method;
}

PrefixTuningMethod prefix_of(ConfigFields& fields) {
  return {.num_virtual_tokens = fields.size("num_virtual_tokens")};
}

std::vector<std::string> targets_of(ConfigFields& fields, const json& config) {
  const json targets = config.value("target_modules", json());
  if (targets.is_string()) return {targets.get<std::string>()};
  std::vector<std::string> entries;
  for (const json& target : targets.is_array() ? targets : json::array()) {
    if (target.is_string()) entries.push_back(entry_of_peft(target.get<std::string>()));
  }
  if (entries.empty() || entries.size() != targets.size()) {
    fields.fail("target_modules", "a list of names, or one regular expression");
  }
  return entries;
}

LoraMethod lora_of(ConfigFields& fields, const json& config) {
  LoraMethod method;
  method.r = fields.size("r");
  method.alpha = fields.number("lora_alpha");
  method.use_rslora = fields.flag("use_rslora", false);
  method.use_dora = fields.flag("use_dora", false);
  method.bias = spelled(fields, config, "bias", method.bias);
  method.target_modules = targets_of(fields, config);
  return method;
}

bool is_part(const json& name) {
  return name == PrefixMemoryMethod::kType || name == PrefixTuningMethod::kType ||
         name == LoraMethod::kType;
}

Result<MethodSpec> combined_of(const fs::path& folder, ConfigFields& fields, const json& config) {
  CombinedMethod method;
  const json parts = config.value("parts", json());
  if (!parts.is_array() || parts.empty() || !std::all_of(parts.begin(), parts.end(), is_part)) {
    fields.fail("parts", "a list of prefix_memory, prefix_tuning, lora");
    return MethodSpec(method);
  }
  for (const json& part : parts) {
    PM_ASSIGN(const MethodSpec stored, stored_method(folder / part.get<std::string>()));
    const auto add = [&](const auto& one) {
      if constexpr (std::is_constructible_v<AdapterMethod, decltype(one)>) {
        method.methods.emplace_back(one);
      }
    };
    std::visit(add, stored);
  }
  return MethodSpec(method);
}

Result<MethodSpec> method_of(const fs::path& folder, ConfigFields& fields, const json& config) {
  if (fields.has("peft_type")) {
    if (fields.choice("peft_type", {"PREFIX_TUNING", "LORA"}) == 0)
      return MethodSpec(prefix_of(fields));
    return MethodSpec(lora_of(fields, config));
  }
  if (fields.choice("method", {PrefixMemoryMethod::kType, CombinedMethod::kType}) == 0) {
    return MethodSpec(memory_of(fields, config));
  }
  return combined_of(folder, fields, config);
}

}  // namespace

Result<MethodSpec> stored_method(const fs::path& folder) {
  PM_ASSIGN(const json config, read_adapter_config(folder));
  ConfigFields fields(config);
  PM_ASSIGN(MethodSpec method, method_of(folder, fields, config));
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  return method;
}

Result<std::unique_ptr<Adapter>> load_stored_adapter(const fs::path& folder,
                                                     const MethodSpec& method, Decoder& model) {
  AdapterContext context{.model = model.config(), .device = model.options().device};
  context.decoder = &model;
  PM_ASSIGN(auto adapter, make_adapter(method, context));
  PM_TRY(adapter->load(folder));
  return adapter;
}

}  // namespace prefixmem::trainer
