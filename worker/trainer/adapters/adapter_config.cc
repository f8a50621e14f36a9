#include "worker/trainer/adapters/adapter_config.h"

#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/model/config_fields.h"
#include "common/model/lora_targets.h"
#include "common/model/strict_json.h"
#include "common/spec/enums.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;

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
    method.feature_dim = fields.size("feature_dim", {}, PrefixMemoryMethod::kMostFeatures);
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
  return {.num_virtual_tokens =
              fields.size("num_virtual_tokens", {}, PrefixTuningMethod::kMostTokens)};
}

// Absent, null, "" or [].
bool is_unset(const json& config, const char* key) {
  const json value = config.value(key, json());
  return value.is_string() ? value.get<std::string>().empty() : value.empty();
}

// layers_to_transform as the alternatives of a regular expression; empty: every layer.
std::string layers_of(ConfigFields& fields, const json& config) {
  if (!fields.has("layers_to_transform")) return "";
  const json& given = config.at("layers_to_transform");
  std::string layers;
  for (const json& layer : given.is_array() ? given : json::array({given})) {
    if (!layer.is_number_unsigned()) {
      fields.fail("layers_to_transform", "a whole number from 0, or a list of them");
    }
    layers += (layers.empty() ? "" : "|") + layer.dump();
  }
  if (!is_unset(config, "layers_pattern") && config["layers_pattern"] != json::array({"layers"})) {
    fields.equal("layers_pattern", "layers");
  }
  return layers;
}

// Every target is looked for in every layer, or in those chosen.
std::string entry_in_layers(const std::string& target, const std::string& layers) {
  if (layers.empty() || target.starts_with("model.")) return entry_of_peft(target);
  return R"(model\.layers\.()" + layers + R"()\.(.*\.)?)" + RE2::QuoteMeta(target);
}

std::vector<std::string> targets_of(ConfigFields& fields, const json& config) {
  const json targets = config.value("target_modules", json());
  const std::string layers = layers_of(fields, config);
  if (!is_unset(config, "exclude_modules")) {
    fields.fail("exclude_modules", "null, with target_modules naming only what has an update");
  }
  if (targets.is_string()) {
    if (!layers.empty()) fields.fail("layers_to_transform", "null beside a regular expression");
    return {targets.get<std::string>()};
  }
  std::vector<std::string> entries;
  for (const json& target : targets.is_array() ? targets : json::array()) {
    if (target.is_string()) entries.push_back(entry_in_layers(target, layers));
  }
  if (entries.empty() || entries.size() != targets.size()) {
    fields.fail("target_modules", "a list of names, or one regular expression");
  }
  return entries;
}

LoraMethod lora_of(ConfigFields& fields, const json& config) {
  LoraMethod method;
  method.r = fields.size("r", {}, LoraMethod::kHighestRank);
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

bool holds_each_once(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end();
}

std::vector<std::string> parts_of(ConfigFields& fields, const json& config) {
  const json parts = config.value("parts", json());
  if (parts.is_array() && !parts.empty() && std::all_of(parts.begin(), parts.end(), is_part)) {
    auto names = parts.get<std::vector<std::string>>();
    if (holds_each_once(names)) return names;
  }
  fields.fail("parts", "a list of prefix_memory, prefix_tuning, lora, each once");
  return {};
}

StoredConfig read(ConfigFields& fields, const json& config) {
  if (fields.has("peft_type")) {
    const bool prefix = fields.choice("peft_type", {"PREFIX_TUNING", "LORA"}) == 0;
    if (prefix) return {prefix_of(fields)};
    return {lora_of(fields, config)};
  }
  if (fields.choice("method", {PrefixMemoryMethod::kType, CombinedMethod::kType}) == 0) {
    return {memory_of(fields, config)};
  }
  return {CombinedMethod{}, parts_of(fields, config)};
}

}  // namespace

Result<json> parse_adapter_config(std::string_view text) {
  return parse_strict_json(text, kMaxDepth);
}

Result<StoredConfig> stored_config(const json& config) {
  ConfigFields fields(config);
  StoredConfig stored = read(fields, config);
  PM_TRY(fields.status());
  return stored;
}

}  // namespace prefixmem::trainer
