#include "common/spec/validate_method.h"

#include <algorithm>

#include "common/spec/enums.h"
#include "common/spec/layer_list.h"
#include "common/spec/limit.h"

namespace prefixmem::spec {
namespace {

Status only_with(const std::string& path, const std::string& value, const std::string& condition) {
  return invalid_argument(path + " is " + value + "; allowed: only with " + condition);
}

Status check(const PrefixMemoryMethod& method, const std::string& path) {
  const bool mlp = method.feature_map == PrefixMemoryMethod::FeatureMap::kMlp;
  const std::string only_mlp = path + "feature_map mlp";
  if (method.feature_dim != 0 && !mlp) {
    return only_with(path + "feature_dim", std::to_string(method.feature_dim), only_mlp);
  }
  if (method.feature_lr_ratio != 1 && !mlp) {
    return only_with(path + "feature_lr_ratio", number_text(method.feature_lr_ratio), only_mlp);
  }
  if (method.scope == PrefixMemoryMethod::Scope::kHidden &&
      method.query != PrefixMemoryMethod::Query::kPostRope) {
    return only_with(path + "query", std::string(spelling(method.query)), path + "scope head");
  }
  return parse_layer_list(method.layers).status().with_context(path + "layers");
}

Status check(const PrefixTuningMethod& method, const std::string& path) {
  using Init = PrefixTuningMethod::Init;
  const bool text = method.init_weights == Init::kText;
  if (method.encoder_hidden_size != 0 && !method.prefix_projection) {
    return only_with(path + "encoder_hidden_size", std::to_string(method.encoder_hidden_size),
                     path + "prefix_projection true");
  }
  if (method.init_weights != Init::kRandom && method.prefix_projection) {
    return only_with(path + "init_weights", std::string(spelling(method.init_weights)),
                     path + "prefix_projection false");
  }
  if (text && method.init_text.empty()) {
    return invalid_argument(path + "init_text is missing; required with " + path +
                            "init_weights text");
  }
  if (!text && !method.init_text.empty()) {
    return invalid_argument(path + "init_text is given; allowed: only with " + path +
                            "init_weights text");
  }
  return {};
}

Status check(const LoraMethod& method, const std::string& path) {
  const std::string targets = path + "target_modules";
  for (const std::string& module : method.target_modules) {
    if (module.empty()) {
      return invalid_argument(targets + " holds an empty name; allowed: names of modules");
    }
  }
  if (!method.target_modules.empty()) return {};
  return invalid_argument(targets + " is empty; allowed: at least one name");
}

Status check(const FullMethod&, const std::string&) { return {}; }
Status check(const NoMethod&, const std::string&) { return {}; }

Status check(const CombinedMethod& method, const std::string& path) {
  std::vector<std::string> types;
  for (size_t i = 0; i < method.methods.size(); ++i) {
    const std::string part = path + "methods[" + std::to_string(i) + "].";
    PM_TRY(std::visit([&](const auto& one) { return check(one, part); }, method.methods[i]));
    types.emplace_back(std::visit([](const auto& one) { return one.kType; }, method.methods[i]));
  }
  if (types.size() < 2) {
    return invalid_argument(path + "methods has " + std::to_string(types.size()) +
                            " entries; allowed: at least 2");
  }
  std::sort(types.begin(), types.end());
  const auto twice = std::adjacent_find(types.begin(), types.end());
  if (twice == types.end()) return {};
  return invalid_argument(path + "methods has " + *twice + " twice; allowed: each method once");
}

}  // namespace

Status check_method(const MethodSpec& method) {
  return std::visit([](const auto& one) { return check(one, "method."); }, method);
}

}  // namespace prefixmem::spec
