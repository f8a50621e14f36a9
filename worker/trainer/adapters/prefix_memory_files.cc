#include <nlohmann/json.hpp>
#include <numeric>

#include "common/model/config_fields.h"
#include "common/spec/enums.h"
#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/adapters/prefix_memory.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

// A setting of the folder that has to be the one at hand; `before` is what its absence stands for.
void same(ConfigFields& fields, const json& config, const char* key, const json& ours,
          const json& before) {
  const json& theirs = fields.has(key) ? config.at(key) : before;
  if (theirs != ours) fields.fail(key, ours.is_string() ? ours.get<std::string>() : ours.dump());
}

}  // namespace

Status PrefixMemoryAdapter::save(const std::filesystem::path& folder,
                                 const std::string& base_model) const {
  return save_adapter_files(folder, parameters_,
                            {{"method", PrefixMemoryMethod::kType},
                             {"base_model_name_or_path", base_model},
                             {"feature_map", spec::spelling(method_.feature_map)},
                             {"feature_dim", features_},
                             {"query", spec::spelling(method_.query)},
                             {"scope", spec::spelling(method_.scope)},
                             {"layers", layers_}});
}

Status PrefixMemoryAdapter::load(const std::filesystem::path& folder) {
  PM_ASSIGN(const json config, read_adapter_config(folder));
  ConfigFields fields(config);
  fields.choice(fields.has("method") ? "method" : "peft_type", {PrefixMemoryMethod::kType});
  std::vector<int64_t> every_layer(layer_count_);
  std::iota(every_layer.begin(), every_layer.end(), 0);
  same(fields, config, "feature_map", spec::spelling(method_.feature_map), nullptr);
  same(fields, config, "query", spec::spelling(method_.query), nullptr);
  same(fields, config, "scope", spec::spelling(method_.scope), "head");
  same(fields, config, "feature_dim", features_, width_);
  same(fields, config, "layers", layers_, every_layer);
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  return load_parameters(folder, parameters_);
}

}  // namespace prefixmem::trainer
