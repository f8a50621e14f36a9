#include "common/spec/search.h"

#include <algorithm>

#include "common/spec/enums.h"
#include "common/spec/limit.h"
#include "common/spec/search_space.h"
#include "common/spec/spec_io.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

constexpr size_t kMostValues = 1000;  // each costs the check of a whole spec
constexpr size_t kMostGridTrials = 10000;

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
Status check_grid(const SearchSpace& space) {
  double count = 1;
  for (const auto& [key, domain] : space) {
    if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) {
      count *= static_cast<double>(choice->values.items.size());
    } else if (const auto* whole = std::get_if<IntDomain>(&domain)) {
      count *= static_cast<double>(whole->high) - static_cast<double>(whole->low) + 1;
    } else {
      return invalid_argument(path_of(key) +
                              " has no list of values; allowed with sweep.search "
                              "grid: choice, int");
    }
  }
  if (count <= static_cast<double>(kMostGridTrials)) return {};
  return invalid_argument("sweep.space gives more than " + std::to_string(kMostGridTrials) +
                          " settings; allowed with sweep.search grid: at most " +
                          std::to_string(kMostGridTrials));
}

Status check_kind(const SweepSpec& sweep) {
  if (sweep.space.contains("after")) {
    return invalid_argument(
        "sweep.space.after is given; allowed: after beside sweep, for all of its trials");
  }
  if (!sweep.grid.empty() || !sweep.trials.empty()) {
    return invalid_argument(std::string("sweep.") + (sweep.grid.empty() ? "trials" : "grid") +
                            " is given beside sweep.space; allowed: one of them");
  }
  if (std::holds_alternative<GridSearch>(sweep.search)) return check_grid(sweep.space);
  const auto* hyperband = std::get_if<HyperbandSearch>(&sweep.search);
  if (hyperband != nullptr && hyperband->max_steps < hyperband->min_steps) {
    return invalid_argument("sweep.search.max_steps is " + std::to_string(hyperband->max_steps) +
                            "; allowed: at least min_steps (" +
                            std::to_string(hyperband->min_steps) + ")");
  }
  return {};
}

bool stops_early(const SearchSpec& search) {
  return std::holds_alternative<AshaSearch>(search) ||
         std::holds_alternative<HyperbandSearch>(search);
}

// What the search must be able to see of a trial.
Status check_observed(const JobSpec& trial, const SweepSpec& sweep) {
  if (eval_data(trial).eval.empty()) {
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
  if (!stops_early(sweep.search) || trial.train.eval_every > 0) return {};
  return invalid_argument(
      "train.eval_every is 0; required: a number of steps, as sweep.search stops trials by their "
      "evaluations");
}

Status check_trials(const JobSpec& spec, const std::vector<std::string>& order) {
  const SweepSpec& sweep = *spec.sweep;
  for (const std::string& key : order) {
    for (const std::string& value : outer_values(sweep.space.at(key))) {
      PM_ASSIGN(const Setting setting, setting_with(sweep.space, order, key, value));
      const auto trial = make_trial(spec, setting, 1);
      const Status status = trial.ok() ? check_observed(*trial, sweep) : trial.status();
      PM_TRY(status.with_context("sweep trial with " + shortened(key, 80) + " " +
                                 shortened(value, 80)));
    }
  }
  return {};
}

}  // namespace

Status check_search(const JobSpec& spec) {
  const SearchSpace& space = spec.sweep->space;
  size_t values = 0;
  for (const auto& [key, domain] : space) {
    PM_TRY(check_domain(key, domain));
    values += outer_values(domain).size();
  }
  if (values > kMostValues) {
    return invalid_argument("sweep.space has " + std::to_string(values) +
                            " values; allowed: at most " + std::to_string(kMostValues));
  }
  PM_TRY(check_kind(*spec.sweep));
  PM_ASSIGN(const auto order, decision_order(space));
  return check_trials(spec, order);
}

GoalSpec goal_of(const JobSpec& spec) {
  if (spec.sweep && spec.sweep->goal) return *spec.sweep->goal;
  const Metric metric = metric_of(spec.eval);
  const bool loss = metric == Metric::kLoss;
  return {.metric = std::string(spelling(metric)),
          .mode = loss ? GoalSpec::Mode::kMin : GoalSpec::Mode::kMax};
}

}  // namespace prefixmem::spec
