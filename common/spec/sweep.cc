#include <algorithm>
#include <set>
#include <tuple>

#include "common/spec/limit.h"
#include "common/spec/override.h"
#include "common/spec/spec_io.h"
#include "common/spec/spec_tree.h"

namespace prefixmem {
namespace {

using spec::Tree;

constexpr size_t kMaxTrials = 10000;
constexpr size_t kMaxExpandedBytes = size_t{256} << 20;

// Overrides in the order they are applied: a block before its keys, a union's tag before the
// others.
std::vector<Override> in_order(std::vector<Override> overrides) {
  const auto rank = [](const Override& o) {
    return std::tuple(std::count(o.path.begin(), o.path.end(), '.'), !o.path.ends_with(".type"),
                      std::string_view(o.path));
  };
  std::sort(overrides.begin(), overrides.end(),
            [&](const Override& a, const Override& b) { return rank(a) < rank(b); });
  return overrides;
}

Status check_path(const std::string& path) {
  if (path != "sweep" && !path.starts_with("sweep.")) return {};
  return invalid_argument("sweep path " + path +
                          " is not a key of a trial; allowed: any key but sweep");
}

// A benchmark that was looked up stands as its name.
std::string label_value(const Override& override) {
  const auto tree = spec::parse_tree(override.yaml);
  if (!tree.ok()) return override.yaml;
  const Tree* name = override.path.ends_with("benchmark") ? tree->find("name") : nullptr;
  const Tree& value = name == nullptr ? *tree : *name;
  return value.is_scalar() ? value.scalar : override.yaml;
}

Result<JobSpec> trial_of(const Tree& base, const std::vector<Override>& overrides, size_t number) {
  Tree tree = base;
  tree.set("name", Tree::text(base.find("name")->scalar + "-" + std::to_string(number)));
  for (const Override& override : in_order(overrides)) {
    PM_TRY(check_path(override.path));
    PM_TRY(spec::apply_override(override, tree));
  }
  PM_ASSIGN(JobSpec trial, spec::read_tree(tree));
  for (const Override& override : overrides) {
    trial.labels[std::string(kSweepLabel) + override.path] = label_value(override);
  }
  PM_TRY(validate(trial));
  return trial;
}

Tree base_of(const JobSpec& spec) {
  JobSpec base = spec;
  base.sweep.reset();
  return spec::write_tree(base);
}

Status check_base(const JobSpec& spec) {
  if (spec::is_name(spec.name)) return {};
  return invalid_argument("name is \"" + spec.name +
                          "\"; allowed: " + std::string(spec::kNameText));
}

// What belongs to a search does nothing beside grid and trials, so it is refused there.
Status check_no_search(const SweepSpec& sweep) {
  const std::string type = std::visit([](const auto& one) { return one.kType; }, sweep.search);
  if (type == RandomSearch::kType || type == GridSearch::kType) return {};
  return invalid_argument("sweep.search is " + type + " without sweep.space; required: space");
}

Result<size_t> count_trials(const SweepSpec& sweep) {
  if (sweep.grid.empty() && sweep.trials.empty()) {
    return invalid_argument("sweep is empty; required: grid, trials or space");
  }
  size_t count = std::max<size_t>(1, sweep.trials.size());
  for (const auto& [path, values] : sweep.grid) {
    if (values.empty()) {
      return invalid_argument("sweep.grid." + path +
                              " is a list; allowed: a list of at least one value");
    }
    count *= std::min(values.size(), kMaxTrials + 1);
    if (count > kMaxTrials) break;
  }
  if (count <= kMaxTrials) return count;
  return invalid_argument("sweep gives more than " + std::to_string(kMaxTrials) +
                          " trials; allowed: at most " + std::to_string(kMaxTrials));
}

Status check_size(const Tree& base, size_t count) {
  const size_t bytes = spec::print_tree(base).size() * count;
  if (bytes <= kMaxExpandedBytes) return {};
  return invalid_argument("sweep gives " + std::to_string(count) + " trials of together " +
                          std::to_string(bytes) + " bytes; allowed: at most " +
                          std::to_string(kMaxExpandedBytes));
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

// Trial `index` of the product; the last axis of the grid changes fastest.
std::vector<Override> overrides_of(const SweepSpec& sweep, size_t index) {
  std::vector<Override> overrides;
  for (auto axis = sweep.grid.rbegin(); axis != sweep.grid.rend(); ++axis) {
    const auto& [path, values] = *axis;
    overrides.push_back({path, values[index % values.size()]});
    index /= values.size();
  }
  if (sweep.trials.empty()) return overrides;
  for (const auto& [path, yaml] : sweep.trials[index]) overrides.push_back({path, yaml});
  return overrides;
}

}  // namespace

Result<JobSpec> make_trial(const JobSpec& spec, const Setting& setting, int number) {
  PM_TRY(check_base(spec));
  std::vector<Override> overrides;
  for (const auto& [path, yaml] : setting) overrides.push_back({path, yaml});
  return trial_of(base_of(spec), overrides, static_cast<size_t>(number));
}

Result<std::vector<JobSpec>> expand_sweep(const JobSpec& spec) {
  if (!spec.sweep) {
    PM_TRY(validate(spec));
    return std::vector<JobSpec>{spec};
  }
  PM_TRY(check_base(spec));
  if (spec.sweep->is_search()) {
    return invalid_argument("sweep.space is given; its trials are chosen one by one");
  }
  PM_TRY(check_no_search(*spec.sweep));
  PM_ASSIGN(const size_t count, count_trials(*spec.sweep));
  PM_TRY(check_disjoint(*spec.sweep));
  const Tree tree = base_of(spec);
  PM_TRY(check_size(tree, count));
  std::vector<JobSpec> trials;
  std::set<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    const std::string context = "sweep trial " + std::to_string(i + 1);
    auto trial = trial_of(tree, overrides_of(*spec.sweep, i), i + 1);
    if (!trial.ok()) return trial.status().with_context(context);
    if (!names.insert(trial->name).second) {
      return invalid_argument(context + ": name " + trial->name +
                              " is that of an earlier trial; allowed: a name of its own");
    }
    trials.push_back(std::move(trial).value());
  }
  return trials;
}

}  // namespace prefixmem
