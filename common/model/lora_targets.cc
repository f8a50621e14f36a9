#include "common/model/lora_targets.h"

#include <re2/re2.h>

#include <algorithm>
#include <functional>

namespace prefixmem {
namespace {

constexpr std::string_view kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

std::string allowed_modules() {
  std::string names;
  for (size_t i = 0; i < kSites; ++i) names += std::string(site_name(static_cast<Site>(i))) + ", ";
  return names + "a regular expression for the whole name of a module (" +
         module_name(0, Site::kQ) + "), or all-linear alone";
}

Status refused(const std::string& entry, const std::string& why) {
  return invalid_argument("method.target_modules holds \"" + entry + "\", which " + why +
                          "; allowed: " + allowed_modules());
}

// Marks the modules for which matches(layer, site) holds; returns whether there was one.
template <class Matches>
bool mark(LoraTargets& targets, const Matches& matches) {
  bool found = false;
  for (size_t layer = 0; layer < targets.size(); ++layer) {
    for (size_t site = 0; site < kSites; ++site) {
      if (!matches(static_cast<int64_t>(layer), static_cast<Site>(site))) continue;
      targets[layer].set(site);
      found = true;
    }
  }
  return found;
}

Status add_name(const std::string& name, LoraTargets& targets) {
  const bool found = mark(targets, [&](int64_t, Site site) { return site_name(site) == name; });
  return found ? Status() : refused(name, "is the name of no linear module");
}

Status add_expression(const std::string& text, LoraTargets& targets) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 expression(text, options);
  if (!expression.ok()) return refused(text, "is no regular expression: " + expression.error());
  const bool found = mark(targets, [&](int64_t layer, Site site) {
    return RE2::FullMatch(module_name(layer, site), expression);
  });
  return found ? Status() : refused(text, "matches no linear module");
}

}  // namespace

Result<LoraTargets> find_lora_targets(const std::vector<std::string>& entries, int64_t num_layers) {
  LoraTargets targets(num_layers);
  if (entries == std::vector<std::string>{"all-linear"}) {
    for (auto& sites : targets) sites.set();
    return targets;
  }
  if (entries.empty()) {
    return invalid_argument("method.target_modules is []; allowed: " + allowed_modules());
  }
  for (const std::string& entry : entries) {
    PM_TRY(is_module_name(entry) ? add_name(entry, targets) : add_expression(entry, targets));
  }
  return targets;
}

bool is_module_name(const std::string& entry) {
  return entry.find_first_not_of(kNameCharacters) == std::string::npos;
}

std::string entry_of_peft(const std::string& entry) {
  return is_module_name(entry) ? entry : R"((.*\.)?)" + RE2::QuoteMeta(entry);
}

std::vector<std::string> peft_target_modules(const LoraTargets& targets) {
  const bool uniform =
      std::adjacent_find(targets.begin(), targets.end(), std::not_equal_to<>()) == targets.end();
  std::vector<std::string> names;
  for (size_t layer = 0; layer < (uniform ? 1 : targets.size()); ++layer) {
    for (size_t i = 0; i < kSites; ++i) {
      if (!targets[layer][i]) continue;
      const Site site = static_cast<Site>(i);
      names.push_back(uniform ? std::string(site_name(site))
                              : module_name(static_cast<int64_t>(layer), site));
    }
  }
  return names;
}

}  // namespace prefixmem
