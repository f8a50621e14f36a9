#include "common/spec/search_scope.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "common/spec/enums.h"
#include "common/spec/search_space.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

constexpr size_t kMostCombinations = 10000;

Result<size_t> count_combinations(const SweepSpec& sweep) {
  size_t count = std::max<size_t>(1, sweep.trials.size());
  for (const auto& [path, values] : sweep.grid) {
    if (values.empty()) {
      return invalid_argument("sweep.grid." + path +
                              " is a list; allowed: a list of at least one value");
    }
    count *= std::min(values.size(), kMostCombinations + 1);
    if (count > kMostCombinations) break;
  }
  if (count <= kMostCombinations) return count;
  return invalid_argument("sweep gives more than " + std::to_string(kMostCombinations) +
                          " trials; allowed: at most " + std::to_string(kMostCombinations));
}

Status check_disjoint(const SweepSpec& sweep) {
  for (size_t i = 0; i < sweep.trials.size(); ++i) {
    for (const auto& [path, yaml] : sweep.trials[i]) {
      if (!sweep.grid.contains(path)) continue;
      return invalid_argument("sweep.trials[" + std::to_string(i) + "]." + path +
                              " is given in sweep.grid too; allowed: one of them");
    }
  }
  return {};
}

// The last axis of the grid changes fastest.
Setting combination(const SweepSpec& sweep, size_t index) {
  Setting values;
  for (auto axis = sweep.grid.rbegin(); axis != sweep.grid.rend(); ++axis) {
    values[axis->first] = axis->second[index % axis->second.size()];
    index /= axis->second.size();
  }
  if (!sweep.trials.empty()) values.insert(sweep.trials[index].begin(), sweep.trials[index].end());
  return values;
}

// A suite stands for its tasks.
bool is_named(const std::string& value, const std::vector<std::string>& names) {
  const std::string name = value_name(value);
  return std::any_of(names.begin(), names.end(), [&](const std::string& one) {
    return name == value_name(one) || name.starts_with(value_name(one) + "/");
  });
}

Status check_tune_on(const SweepSpec& sweep) {
  for (const auto& [path, names] : sweep.tune_on) {
    const std::string key = "sweep.tune_on." + shortened(path, 80);
    const auto axis = sweep.grid.find(path);
    if (axis == sweep.grid.end()) {
      return invalid_argument(key + " is no axis; allowed: keys of sweep.grid");
    }
    for (const std::string& name : names) {
      const bool found = std::any_of(axis->second.begin(), axis->second.end(),
                                     [&](const auto& value) { return is_named(value, {name}); });
      if (found) continue;
      return invalid_argument(key + " has " + shortened(name, 80) +
                              "; allowed: values of sweep.grid." + shortened(path, 80));
    }
  }
  return {};
}

// That a condition on a key outside of the space can hold in some combination.
Status check_condition(const std::string& key, const std::string& other,
                       const std::vector<std::string>& values, const SweepSpec& sweep,
                       const std::vector<Setting>& combinations) {
  const std::string when = "sweep.space." + shortened(key, 80) + ".when";
  if (sweep.tune_on.contains(other)) {
    return invalid_argument(when + " names " + shortened(other, 80) +
                            "; allowed: keys that sweep.tune_on does not name");
  }
  if (std::none_of(combinations.begin(), combinations.end(),
                   [&](const Setting& one) { return one.contains(other); })) {
    return invalid_argument(when + " names " + shortened(other, 80) +
                            "; allowed: " + std::string(kConditionKeys));
  }
  for (const std::string& value : values) {
    const bool found =
        std::any_of(combinations.begin(), combinations.end(), [&](const Setting& one) {
          const auto given = one.find(other);
          return given != one.end() && has_value({value}, given->second);
        });
    if (found) continue;
    return invalid_argument(when + "." + shortened(other, 80) + " has " + shortened(value, 80) +
                            "; allowed: values that sweep.grid or sweep.trials give it");
  }
  return {};
}

Status check_conditions(const SweepSpec& sweep, const std::vector<Setting>& combinations) {
  for (const auto& [key, domain] : sweep.space) {
    for (const auto& [other, values] : conditions_of(domain)) {
      if (sweep.space.contains(other)) continue;
      PM_TRY(check_condition(key, other, values, sweep, combinations));
    }
  }
  return {};
}

Status check_apart(const SweepSpec& sweep, const std::vector<Setting>& combinations) {
  for (const auto& [path, domain] : sweep.space) {
    const bool given =
        std::any_of(combinations.begin(), combinations.end(),
                    [&](const Setting& combination) { return combination.contains(path); });
    if (!given) continue;
    return invalid_argument("sweep.space." + shortened(path, 80) +
                            " is given in sweep.grid or sweep.trials too; allowed: one of them");
  }
  return {};
}

Conditions& conditions_in(Domain& domain) {
  return std::visit([](auto& one) -> Conditions& { return one.when; }, domain);
}

// Takes out the conditions that the combination meets. False: there is one that it does not meet.
bool resolve(const Setting& combination, const SearchSpace& space, Domain& domain) {
  bool met = true;
  std::erase_if(conditions_in(domain), [&](const auto& condition) {
    const auto& [other, values] = condition;
    if (space.contains(other)) return false;
    const auto given = combination.find(other);
    met = met && given != combination.end() && has_value(values, given->second);
    return true;
  });
  return met;
}

SearchSpace space_in(const Setting& combination, const SweepSpec& sweep) {
  SearchSpace space = sweep.space;
  for (auto at = space.begin(); at != space.end();) {
    at = resolve(combination, sweep.space, at->second) ? std::next(at) : space.erase(at);
  }
  // What depends on a key that is not set is not set either.
  for (size_t before = 0; before != space.size();) {
    before = space.size();
    std::erase_if(space, [&](const auto& entry) {
      const Conditions& when = conditions_of(entry.second);
      return std::any_of(when.begin(), when.end(), [&](const auto& condition) {
        return sweep.space.contains(condition.first) && !space.contains(condition.first);
      });
    });
  }
  return space;
}

}  // namespace

Result<std::vector<Setting>> combinations_of(const SweepSpec& sweep) {
  PM_ASSIGN(const size_t count, count_combinations(sweep));
  PM_TRY(check_disjoint(sweep));
  std::vector<Setting> all;
  for (size_t i = 0; i < count; ++i) all.push_back(combination(sweep, i));
  return all;
}

Status check_seeds(const SweepSpec& sweep, const std::vector<Setting>& combinations) {
  const bool seeded = !sweep.seeds.values.empty();
  const auto given = [&](const char* path) {
    return sweep.space.contains(path) ||
           std::any_of(combinations.begin(), combinations.end(),
                       [&](const Setting& combination) { return combination.contains(path); });
  };
  for (const char* path : {"train.seed", "data.few_shot.seed", "eval.split"}) {
    const bool split = std::string_view(path) == "eval.split";
    if (!sweep.test && (split || !seeded)) continue;
    if (!given(path)) continue;
    return invalid_argument(std::string(seeded && !split ? "sweep.seeds" : "sweep.test") +
                            " is given beside " + path + " in the sweep; allowed: one of them");
  }
  return {};
}

Setting whole_setting(const SweepSpec& sweep, const Setting& combination, const Setting& chosen,
                      bool test) {
  Setting whole = combination;
  for (const auto& [path, yaml] : chosen) whole[path] = yaml;
  if (sweep.test) whole["eval.split"] = spelling(test ? EvalSplit::kTest : EvalSplit::kValidation);
  return whole;
}

Result<std::vector<Scope>> scopes_of(const SweepSpec& sweep,
                                     const std::vector<Setting>& combinations) {
  PM_TRY(check_apart(sweep, combinations));
  PM_TRY(check_tune_on(sweep));
  PM_TRY(check_conditions(sweep, combinations));
  std::vector<Scope> scopes;
  std::map<Setting, size_t> known;  // by what is not in tune_on
  for (size_t i = 0; i < combinations.size(); ++i) {
    Setting apart = combinations[i];
    bool tuned = true;
    for (const auto& [path, names] : sweep.tune_on) {
      tuned = tuned && is_named(apart.at(path), names);
      apart.erase(path);
    }
    const auto [found, is_new] = known.emplace(std::move(apart), scopes.size());
    if (is_new) scopes.push_back({{}, {}, space_in(combinations[i], sweep)});
    Scope& scope = scopes[found->second];
    scope.combinations.push_back(i);
    if (tuned) scope.tuned_on.push_back(i);
  }
  return scopes;
}

}  // namespace prefixmem::spec
