#include "common/spec/search_space.h"

#include <algorithm>
#include <set>

#include "common/spec/limit.h"
#include "common/spec/tree.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

std::string key_path(const std::string& path) { return "sweep.space." + shortened(path, 80); }

Status check_conditions(const SearchSpace& space, const std::string& path) {
  for (const auto& [other, values] : conditions_of(space.at(path))) {
    const auto found = space.find(other);
    const auto* choice = found == space.end() ? nullptr : std::get_if<ChoiceDomain>(&found->second);
    const std::string when = key_path(path) + ".when";
    if (choice == nullptr) {
      return invalid_argument(when + " names " + shortened(other, 80) +
                              "; allowed: " + kConditionKeys);
    }
    for (const std::string& value : values) {
      if (has_value(choice->values.items, value)) continue;
      return invalid_argument(when + "." + shortened(other, 80) + " has " + shortened(value, 80) +
                              "; allowed: values of " + key_path(other));
    }
  }
  return {};
}

// Puts into `wanted` what must hold for `path` to be set.
Status want(const SearchSpace& space, const std::string& path, Setting& wanted) {
  for (const auto& [other, values] : conditions_of(space.at(path))) {
    const auto& choices = std::get<ChoiceDomain>(space.at(other)).values.items;
    const auto given = wanted.find(other);
    if (given != wanted.end()) {
      if (has_value(values, given->second)) continue;
      return invalid_argument(key_path(path) + " is never set: its conditions exclude each other");
    }
    const auto fits = [&](const std::string& choice) { return has_value(values, choice); };
    wanted[other] = *std::find_if(choices.begin(), choices.end(), fits);
    PM_TRY(want(space, other, wanted));
  }
  return {};
}

}  // namespace

std::string value_name(const std::string& yaml) {
  const auto tree = parse_tree(yaml);
  if (!tree.ok()) return yaml;
  const Tree* name = tree->find("type");
  if (name == nullptr) name = tree->find("name");
  const Tree& named = name != nullptr ? *name : *tree;
  return named.is_scalar() ? named.scalar : print_flow(named);
}

bool has_value(const std::vector<std::string>& allowed, const std::string& value) {
  const std::string name = value_name(value);
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& one) { return value_name(one) == name; });
}

const Conditions& conditions_of(const Domain& domain) {
  return std::visit([](const auto& one) -> const Conditions& { return one.when; }, domain);
}

Result<std::vector<std::string>> decision_order(const SearchSpace& space) {
  std::vector<std::string> order;
  std::set<std::string> decided;
  for (const auto& [path, domain] : space) PM_TRY(check_conditions(space, path));
  while (order.size() < space.size()) {
    const size_t before = order.size();
    for (const auto& [path, domain] : space) {
      const Conditions& when = conditions_of(domain);
      const bool ready = std::all_of(when.begin(), when.end(), [&](const auto& condition) {
        return decided.contains(condition.first);
      });
      if (ready && !decided.contains(path)) order.push_back(path);
    }
    if (order.size() > before) {
      decided.insert(order.begin() + static_cast<std::ptrdiff_t>(before), order.end());
      continue;
    }
    const auto open = std::find_if(space.begin(), space.end(), [&](const auto& entry) {
      return !decided.contains(entry.first);
    });
    return invalid_argument(key_path(open->first) +
                            ".when leads back to its own key; allowed: keys decided before it");
  }
  return order;
}

bool is_active(const Domain& domain, const Setting& setting) {
  const Conditions& when = conditions_of(domain);
  return std::all_of(when.begin(), when.end(), [&](const auto& condition) {
    const auto found = setting.find(condition.first);
    return found != setting.end() && has_value(condition.second, found->second);
  });
}

std::vector<std::string> outer_values(const Domain& domain) {
  if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) return choice->values.items;
  if (const auto* whole = std::get_if<IntDomain>(&domain)) {
    return {std::to_string(whole->low), std::to_string(whole->high)};
  }
  if (const auto* log = std::get_if<LogUniformDomain>(&domain)) {
    return {number_text(log->low), number_text(log->high)};
  }
  const auto& uniform = std::get<UniformDomain>(domain);
  return {number_text(uniform.low), number_text(uniform.high)};
}

Result<Setting> setting_with(const SearchSpace& space, const std::vector<std::string>& order,
                             const std::string& path, const std::string& value) {
  Setting wanted = {{path, value}};
  PM_TRY(want(space, path, wanted));
  Setting setting;
  for (const std::string& key : order) {
    const Domain& domain = space.at(key);
    if (!is_active(domain, setting)) continue;
    const auto given = wanted.find(key);
    setting[key] = given != wanted.end() ? given->second : outer_values(domain).front();
  }
  return setting;
}

Result<Setting> first_setting(const SearchSpace& space, const std::vector<std::string>& order) {
  if (order.empty()) return Setting();
  const std::string& key = order.front();
  return setting_with(space, order, key, outer_values(space.at(key)).front());
}

}  // namespace prefixmem::spec
