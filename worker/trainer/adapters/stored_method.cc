#include "worker/trainer/adapters/stored_method.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "worker/trainer/adapters/adapter_config.h"
#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/model/decoder.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;

Result<StoredConfig> config_of(const fs::path& folder) {
  PM_ASSIGN(const auto config, read_adapter_config(folder));
  auto stored = stored_config(config);
  if (!stored.ok()) {
    return stored.status().with_context((folder / "adapter_config.json").string());
  }
  return stored;
}

Result<AdapterMethod> part_of(const fs::path& folder, const std::string& name) {
  PM_ASSIGN(const StoredConfig stored, config_of(folder / name));
  std::optional<AdapterMethod> part;
  const auto take = [&](const auto& one) {
    if constexpr (std::is_constructible_v<AdapterMethod, decltype(one)>) part = one;
  };
  const std::string found =
      stored.parts.empty() ? method_name(stored.method) : CombinedMethod::kType;
  if (found == name) std::visit(take, stored.method);
  if (part) return *part;
  return invalid_argument((folder / name / "adapter_config.json").string() + " is of method " +
                          found + "; allowed: " + name);
}

}  // namespace

bool holds_whole_model(const std::filesystem::path& folder) {
  return !std::filesystem::exists(folder / "adapter_config.json");
}

Result<MethodSpec> stored_method(const fs::path& folder) {
  PM_ASSIGN(const StoredConfig stored, config_of(folder));
  if (stored.parts.empty()) return stored.method;
  CombinedMethod method;
  for (const std::string& name : stored.parts) {
    PM_ASSIGN(AdapterMethod part, part_of(folder, name));
    method.methods.push_back(std::move(part));
  }
  return MethodSpec(std::move(method));
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
