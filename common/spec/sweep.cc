#include <algorithm>
#include <set>
#include <tuple>

#include "common/spec/limit.h"
#include "common/spec/override.h"
#include "common/spec/search_scope.h"
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

std::vector<Override> overrides_of(const Setting& setting) {
  std::vector<Override> overrides;
  for (const auto& [path, yaml] : setting) overrides.push_back({path, yaml});
  return overrides;
}

// Those that the seed is given by, in what the other overrides have made of the spec.
std::vector<Override> seed_overrides(const Tree& tree, int64_t seed) {
  const std::string text = std::to_string(seed);
  std::vector<Override> overrides = {{"train.seed", text}};
  const Tree* data = tree.find("data");
  const Tree* few_shot = data == nullptr ? nullptr : data->find("few_shot");
  if (few_shot != nullptr && few_shot->is_map()) {
    overrides.push_back({"data.few_shot.seed", text});
  }
  return overrides;
}

Result<JobSpec> trial_of(const Tree& base, const Setting& setting, size_t number,
                         std::optional<int64_t> seed) {
  Tree tree = base;
  tree.set("name", Tree::text(base.find("name")->scalar + "-" + std::to_string(number)));
  std::vector<Override> overrides = in_order(overrides_of(setting));
  for (const Override& override : overrides) {
    PM_TRY(check_path(override.path));
    PM_TRY(spec::apply_override(override, tree));
  }
  if (seed) {
    for (Override& override : seed_overrides(tree, *seed)) {
      PM_TRY(spec::apply_override(override, tree));
      overrides.push_back(std::move(override));
    }
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
  if (sweep.grid.empty() && sweep.trials.empty() && sweep.seeds.values.empty()) {
    return invalid_argument("sweep is empty; required: grid, trials, seeds or space");
  }
  const std::string type = std::visit([](const auto& one) { return one.kType; }, sweep.search);
  std::string given;
  if (type != RandomSearch::kType && type != GridSearch::kType) given = "search is " + type;
  if (!sweep.tune_on.empty()) given = "tune_on is given";
  if (sweep.test) given = "test is given";
  if (given.empty()) return {};
  return invalid_argument("sweep." + given + " without sweep.space; required: space");
}

Status check_size(const Tree& base, size_t count) {
  const size_t bytes = spec::print_tree(base).size() * count;
  if (bytes <= kMaxExpandedBytes) return {};
  return invalid_argument("sweep gives " + std::to_string(count) + " trials of together " +
                          std::to_string(bytes) + " bytes; allowed: at most " +
                          std::to_string(kMaxExpandedBytes));
}

std::vector<std::optional<int64_t>> seeds_of(const Seeds& seeds) {
  if (seeds.values.empty()) return {std::nullopt};
  return {seeds.values.begin(), seeds.values.end()};
}

Status check_count(size_t trials) {
  if (trials <= kMaxTrials) return {};
  return invalid_argument("sweep gives " + std::to_string(trials) + " trials; allowed: at most " +
                          std::to_string(kMaxTrials));
}

}  // namespace

Result<JobSpec> make_trial(const JobSpec& spec, const Setting& setting, int number,
                           std::optional<int64_t> seed) {
  PM_TRY(check_base(spec));
  return trial_of(base_of(spec), setting, static_cast<size_t>(number), seed);
}

Result<std::vector<JobSpec>> expand_sweep(const JobSpec& spec) {
  if (!spec.sweep) {
    PM_TRY(validate(spec));
    return std::vector<JobSpec>{spec};
  }
  PM_TRY(check_base(spec));
  const SweepSpec& sweep = *spec.sweep;
  if (sweep.is_search()) {
    return invalid_argument("sweep.space is given; its trials are chosen one by one");
  }
  PM_TRY(check_no_search(sweep));
  PM_ASSIGN(const auto combinations, spec::combinations_of(sweep));
  PM_TRY(spec::check_seeds(sweep, combinations));
  const auto seeds = seeds_of(sweep.seeds);
  PM_TRY(check_count(combinations.size() * seeds.size()));
  const Tree tree = base_of(spec);
  PM_TRY(check_size(tree, combinations.size() * seeds.size()));
  std::vector<JobSpec> trials;
  std::set<std::string> names;
  for (const Setting& combination : combinations) {
    for (const auto& seed : seeds) {
      const std::string context = "sweep trial " + std::to_string(trials.size() + 1);
      auto trial = trial_of(tree, combination, trials.size() + 1, seed);
      if (!trial.ok()) return trial.status().with_context(context);
      if (!names.insert(trial->name).second) {
        return invalid_argument(context + ": name " + trial->name +
                                " is that of an earlier trial; allowed: a name of its own");
      }
      trials.push_back(std::move(trial).value());
      if (std::holds_alternative<NoMethod>(trials.back().method)) break;  // seeds change nothing
    }
  }
  return trials;
}

}  // namespace prefixmem
