#include "common/spec/search.h"

#include <algorithm>
#include <cmath>

#include "common/spec/continuation.h"
#include "common/spec/enums.h"
#include "common/spec/limit.h"
#include "common/spec/search_scope.h"
#include "common/spec/search_space.h"
#include "common/spec/spec_io.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

constexpr size_t kMostValues = 1000;  // each costs the check of a whole spec
constexpr size_t kMostTrials = 10000;

std::string path_of(const std::string& key) { return "sweep.space." + shortened(key, 80); }

Status check_ends(const std::string& path, const auto& domain) {
  if (domain.low < domain.high) return {};
  const auto text = [](auto value) { return number_text(static_cast<double>(value)); };
  return invalid_argument(path + ".high is " + text(domain.high) +
                          "; allowed: a number above low (" + text(domain.low) + ")");
}

Status check_domain(const std::string& key, const Domain& domain) {
  const std::string path = path_of(key);
  if (const auto* whole = std::get_if<IntDomain>(&domain)) {
    if (whole->log && whole->low < 1) {
      return invalid_argument(path + ".low is " + std::to_string(whole->low) +
                              "; allowed with log: a whole number of at least 1");
    }
    return check_ends(path, *whole);
  }
  if (const auto* log = std::get_if<LogUniformDomain>(&domain)) return check_ends(path, *log);
  if (const auto* uniform = std::get_if<UniformDomain>(&domain)) return check_ends(path, *uniform);
  if (!std::get<ChoiceDomain>(domain).values.items.empty()) return {};
  return invalid_argument(path + ".values is missing; required: a list of at least one value");
}

// Most settings that a grid can have: conditions only take some away.
double grid_size(const SearchSpace& space) {
  double count = 1;
  for (const auto& [key, domain] : space) {
    if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) {
      count *= static_cast<double>(choice->values.items.size());
    } else if (const auto* whole = std::get_if<IntDomain>(&domain)) {
      count *= static_cast<double>(whole->high) - static_cast<double>(whole->low) + 1;
    }
  }
  return count;
}

Status check_grid(const SearchSpace& space) {
  for (const auto& [key, domain] : space) {
    const bool listed =
        std::holds_alternative<ChoiceDomain>(domain) || std::holds_alternative<IntDomain>(domain);
    if (listed) continue;
    return invalid_argument(path_of(key) +
                            " has no list of values; allowed with sweep.search "
                            "grid: choice, int");
  }
  if (grid_size(space) <= static_cast<double>(kMostTrials)) return {};
  return invalid_argument("sweep.space gives more than " + std::to_string(kMostTrials) +
                          " settings; allowed with sweep.search grid: at most " +
                          std::to_string(kMostTrials));
}

// What a population finds is a course of settings, which no job from its beginning repeats, and
// what it takes over must fit every setting.
Status check_population(const SweepSpec& sweep) {
  std::string given;
  if (sweep.test) given = "sweep.test is given; allowed with sweep.search pbt: none";
  if (sweep.seeds.values.size() > 1) {
    given = "sweep.seeds has " + std::to_string(sweep.seeds.values.size()) +
            " seeds; allowed with sweep.search pbt: at most one";
  }
  for (const auto& [key, domain] : sweep.space) {
    if (is_listed(key, kExploredKeys)) continue;
    given =
        path_of(key) + " is given; allowed with sweep.search pbt: " + std::string(kExploredKeys);
  }
  return given.empty() ? Status() : invalid_argument(given);
}

Status check_kind(const SweepSpec& sweep) {
  const bool in_trials = std::any_of(sweep.trials.begin(), sweep.trials.end(),
                                     [](const Setting& trial) { return trial.contains("after"); });
  std::string given;
  if (in_trials) given = "trials";
  if (sweep.grid.contains("after")) given = "grid";
  if (sweep.space.contains("after")) given = "space";
  if (!given.empty()) {
    return invalid_argument("sweep." + given + (in_trials ? " has after" : ".after is given") +
                            "; allowed: after beside sweep, for all of its trials");
  }
  if (std::holds_alternative<GridSearch>(sweep.search)) return check_grid(sweep.space);
  if (std::holds_alternative<PbtSearch>(sweep.search)) return check_population(sweep);
  const auto* hyperband = std::get_if<HyperbandSearch>(&sweep.search);
  if (hyperband != nullptr && hyperband->max_steps < hyperband->min_steps) {
    return invalid_argument("sweep.search.max_steps is " + std::to_string(hyperband->max_steps) +
                            "; allowed: at least min_steps (" +
                            std::to_string(hyperband->min_steps) + ")");
  }
  return {};
}

// That generations of the trial can follow each other.
Status check_generations(const JobSpec& trial, const SweepSpec& sweep) {
  const auto* pbt = std::get_if<PbtSearch>(&sweep.search);
  if (pbt == nullptr || std::holds_alternative<NoMethod>(trial.method)) return {};
  const TrainSpec& train = trial.train;
  std::string given;
  if (!train.max_steps) given = "train.epochs is given; allowed: max_steps";
  if (train.schedule != Schedule::kConstant) {
    given = "train.schedule is " + std::string(spelling(train.schedule)) +
            "; allowed: constant, as the population makes the schedule";
  }
  if (train.output != Output::kAll) {
    given = "train.output is " + std::string(spelling(train.output)) +
            "; allowed: all, as generations begin with checkpoints";
  }
  if (train.continue_from) given = "train.continue_from is given; allowed: none";
  if (!given.empty()) return invalid_argument(given + " (sweep.search pbt)");
  const double generations =
      std::ceil(static_cast<double>(*train.max_steps) / static_cast<double>(pbt->interval));
  if (generations * static_cast<double>(sweep.budget.trials) <= kMostTrials) return {};
  return invalid_argument("sweep.search.interval is " + std::to_string(pbt->interval) +
                          ", which gives " + number_text(generations) + " generations of " +
                          std::to_string(sweep.budget.trials) + " trials; allowed: at most " +
                          std::to_string(kMostTrials) + " trials");
}

// What the search must be able to see of a trial.
Status check_observed(const JobSpec& trial, const SweepSpec& sweep) {
  if (eval_file(trial).empty() && !scores_holdout(trial)) {
    return invalid_argument("data.eval is missing; required: rows that a search compares by");
  }
  const std::string metric(spelling(metric_of(trial.eval)));
  if (sweep.goal && sweep.goal->metric != metric) {
    return invalid_argument("sweep.goal.metric is \"" + shortened(sweep.goal->metric, 80) +
                            "\"; allowed: " + metric + " (eval.mode " +
                            std::string(spelling(trial.eval.mode)) + ")");
  }
  const int64_t devices = sweep.budget.devices;
  if (devices > 0 && devices < trial.resources.ranks) {
    return invalid_argument("sweep.budget.devices is " + std::to_string(devices) +
                            "; allowed: 0, or at least resources.ranks (" +
                            std::to_string(trial.resources.ranks) + ")");
  }
  const bool untrained = std::holds_alternative<NoMethod>(trial.method);
  if (!stops_early(sweep.search) || trial.train.eval_every > 0 || untrained) return {};
  return invalid_argument(
      "train.eval_every is 0; required: a number of steps, as sweep.search stops trials by their "
      "evaluations");
}

// A sweep whose scopes are looked at one by one.
class SearchCheck {
 public:
  SearchCheck(const JobSpec& spec, const std::vector<Setting>& combinations)
      : spec_(spec), sweep_(*spec.sweep), combinations_(combinations) {}

  Status check(const Scope& scope) const {
    PM_ASSIGN(const auto order, decision_order(scope.space));
    for (const std::string& key : order) {
      for (const std::string& value : outer_values(scope.space.at(key))) {
        PM_ASSIGN(const Setting setting, setting_with(scope.space, order, key, value));
        PM_TRY(trial(scope.combinations.front(), setting, false)
                   .status()
                   .with_context("sweep trial with " + shortened(key, 80) + " " +
                                 shortened(value, 80)));
      }
    }
    PM_ASSIGN(const Setting first, first_setting(scope.space, order));
    PM_TRY(check_combinations(scope, first));
    return check_goals(scope, first);
  }

 private:
  Result<JobSpec> trial(size_t combination, const Setting& setting, bool test) const {
    PM_ASSIGN(JobSpec made,
              make_trial(spec_, whole_setting(sweep_, combinations_[combination], setting, test), 1,
                         seed(test)));
    PM_TRY(check_observed(made, sweep_));
    PM_TRY(check_generations(made, sweep_));
    return made;
  }

  std::optional<int64_t> seed(bool test) const {
    const Seeds& seeds = test ? sweep_.test->seeds : sweep_.seeds;
    return seeds.values.empty() ? std::nullopt : std::optional(seeds.values.front());
  }

  Status check_combinations(const Scope& scope, const Setting& setting) const {
    const bool searched = !sweep_.test || !scope.space.empty();
    for (const size_t combination : scope.combinations) {
      const std::string context = "sweep combination " + std::to_string(combination + 1);
      if (searched) PM_TRY(trial(combination, setting, false).status().with_context(context));
      if (sweep_.test) PM_TRY(trial(combination, setting, true).status().with_context(context));
    }
    return {};
  }

  // Scores that are averaged must be better in one direction.
  Status check_goals(const Scope& scope, const Setting& setting) const {
    if (scope.tuned_on.size() < 2) return {};
    std::optional<GoalSpec> first;
    for (const size_t combination : scope.tuned_on) {
      PM_ASSIGN(const JobSpec made, trial(combination, setting, sweep_.test.has_value()));
      const GoalSpec goal = trial_goal(sweep_, made);
      if (!first) first = goal;
      if (first->mode == goal.mode) continue;
      return invalid_argument("sweep.tune_on averages " + first->metric + " and " + goal.metric +
                              "; allowed: metrics of which more is better, or loss alone");
    }
    return {};
  }

  const JobSpec& spec_;
  const SweepSpec& sweep_;
  const std::vector<Setting>& combinations_;
};

// That no more trials can begin, and no more specs are made to check them, than is bearable.
Status check_size(const SweepSpec& sweep, const std::vector<Scope>& scopes, size_t values) {
  const bool grid = std::holds_alternative<GridSearch>(sweep.search);
  const auto seeds = static_cast<double>(std::max<size_t>(1, sweep.seeds.values.size()));
  double trials = 0;
  double checks = 0;
  for (const Scope& scope : scopes) {
    double settings = scope.space.empty() ? 1 : static_cast<double>(sweep.budget.trials);
    if (grid) settings = std::min(settings, grid_size(scope.space));
    if (sweep.test && scope.space.empty()) settings = 0;
    trials += settings * seeds * static_cast<double>(scope.tuned_on.size());
    if (sweep.test) {
      trials += static_cast<double>(sweep.test->seeds.values.size() * scope.combinations.size());
    }
    checks += static_cast<double>(values + 3 * scope.combinations.size());
  }
  if (std::max(trials, checks) <= static_cast<double>(kMostTrials)) return {};
  return invalid_argument("sweep gives " + std::to_string(scopes.size()) + " searches with " +
                          number_text(trials) + " trials and " + number_text(checks) +
                          " settings to check; allowed: at most " + std::to_string(kMostTrials) +
                          " of each");
}

}  // namespace

Status check_search(const JobSpec& spec) {
  const SweepSpec& sweep = *spec.sweep;
  size_t values = 0;
  for (const auto& [key, domain] : sweep.space) {
    PM_TRY(check_domain(key, domain));
    values += outer_values(domain).size();
  }
  if (values > kMostValues) {
    return invalid_argument("sweep.space has " + std::to_string(values) +
                            " values; allowed: at most " + std::to_string(kMostValues));
  }
  PM_TRY(check_kind(sweep));
  if (!sweep.tune_on.empty() && !sweep.test) {
    return invalid_argument("sweep.tune_on is given without sweep.test; required: test");
  }
  if (sweep.test && sweep.test->seeds.values.empty()) {
    return invalid_argument("sweep.test.seeds is empty; allowed: a list of at least one seed");
  }
  PM_ASSIGN(const auto combinations, combinations_of(sweep));
  PM_TRY(check_seeds(sweep, combinations));
  PM_ASSIGN(const auto scopes, scopes_of(sweep, combinations));
  PM_TRY(check_size(sweep, scopes, values));
  const SearchCheck check(spec, combinations);
  for (const Scope& scope : scopes) PM_TRY(check.check(scope));
  return {};
}

bool stops_early(const SearchSpec& search) {
  return std::holds_alternative<AshaSearch>(search) ||
         std::holds_alternative<HyperbandSearch>(search);
}

GoalSpec trial_goal(const SweepSpec& sweep, const JobSpec& trial) {
  if (sweep.goal) return *sweep.goal;
  const Metric metric = metric_of(trial.eval);
  const bool loss = metric == Metric::kLoss;
  return {.metric = std::string(spelling(metric)),
          .mode = loss ? GoalSpec::Mode::kMin : GoalSpec::Mode::kMax};
}

}  // namespace prefixmem::spec
