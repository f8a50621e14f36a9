#include "coordinator/sweep/decide.h"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/sweep/pbt.h"
#include "coordinator/sweep/samplers.h"

namespace prefixmem::sweep {
namespace {

int64_t open_runs(const Record& record) {
  return std::count_if(record.runs().begin(), record.runs().end(),
                       [](const Run& run) { return run.state == TrialState::kOpen; });
}

int64_t open_ranks(const Record& record) {
  int64_t ranks = 0;
  for (const Run& run : record.runs()) {
    if (run.state == TrialState::kOpen) ranks += run.ranks;
  }
  return ranks;
}

bool keeps_failing(const Record& record) {
  int failures = 0;
  for (auto run = record.runs().rbegin(); run != record.runs().rend(); ++run) {
    if (run->state == TrialState::kOpen) continue;
    if (run->state != TrialState::kFailed) return false;
    if (++failures == kMostFailures) return true;
  }
  return false;
}

Next ending(const Record& record, const std::string& reason, Next::Kind kind = Next::Kind::kDone) {
  const int64_t open = open_runs(record);
  if (open == 0) return {.kind = kind, .reason = reason};
  return {.reason = fmt::format("{}; {} have not ended", reason, open)};
}

// The next job of a setting that some have begun to try.
std::optional<Run> owed_try(const SweepPlan& plan, const Record& record, size_t index) {
  const Search& search = plan.searches[index];
  for (const Trial& trial : record.history(index).trials) {
    const auto& tries = record.tries(index, trial.number);
    if (tries.size() == search.tried.size()) continue;
    const bool held =
        search.plan.stops_early() && record.runs()[tries.front()].state != TrialState::kFinished;
    if (held) continue;
    return Run{
        .place = search.tried[tries.size()], .candidate = trial.number, .setting = trial.setting};
  }
  return std::nullopt;
}

// The setting of the next candidate; none where the search tries no other, of pbt for now.
std::optional<Generation> candidate(const Search& search, const History& history) {
  const auto tried = static_cast<int64_t>(history.trials.size());
  const int number = static_cast<int>(tried) + 1;
  if (const auto* pbt = std::get_if<PbtSearch>(&search.plan.search)) {
    return next_generation(search.plan, *pbt, history, number);
  }
  if (tried >= search.plan.settings) return std::nullopt;
  auto setting = next_setting(search.plan, history, number);
  if (!setting) return std::nullopt;
  return Generation{.member = 0, .setting = *std::move(setting)};
}

bool tries_others(const Search& search, const History& history) {
  if (std::holds_alternative<GridSearch>(search.plan.search)) {
    return candidate(search, history).has_value();
  }
  return static_cast<int64_t>(history.trials.size()) < search.plan.settings;
}

bool any_open(const History& history) {
  return std::any_of(history.trials.begin(), history.trials.end(),
                     [](const Trial& trial) { return trial.state == TrialState::kOpen; });
}

// The next test of what a search has found, once it tries no other setting.
std::optional<Run> owed_test(const SweepPlan& plan, const Record& record, size_t index) {
  const Search& search = plan.searches[index];
  const History& history = record.history(index);
  const size_t begun = record.tests(index).size();
  if (begun == search.tested.size()) return std::nullopt;
  if (any_open(history) || tries_others(search, history)) return std::nullopt;
  Run run{.place = search.tested[begun], .candidate = 0, .test = true};
  if (!search.choosing) return run;
  const auto best = best_candidate(search.plan, history);
  if (!best) return std::nullopt;
  run.candidate = *best;
  run.setting = history.trials[static_cast<size_t>(*best - 1)].setting;
  return run;
}

std::optional<Run> owed(const SweepPlan& plan, const Record& record) {
  for (const auto& rule : {owed_try, owed_test}) {
    for (size_t i = 0; i < plan.searches.size(); ++i) {
      if (auto run = rule(plan, record, i)) return run;
    }
  }
  return std::nullopt;
}

std::optional<Run> new_candidate(const SweepPlan& plan, const Record& record) {
  std::vector<size_t> searches(plan.searches.size());
  for (size_t i = 0; i < searches.size(); ++i) searches[i] = i;
  std::stable_sort(searches.begin(), searches.end(), [&](size_t a, size_t b) {
    return record.history(a).trials.size() < record.history(b).trials.size();
  });
  for (const size_t index : searches) {
    const Search& search = plan.searches[index];
    const History& history = record.history(index);
    auto found = candidate(search, history);
    if (!found) continue;
    Run run{.place = search.tried.front(),
            .candidate = static_cast<int>(history.trials.size()) + 1,
            .member = found->member,
            .setting = std::move(found->setting)};
    if (found->parent > 0) {
      run.parent = record.runs()[record.tries(index, found->parent).front()].number;
    }
    return run;
  }
  return std::nullopt;
}

// Why nothing is left to begin.
std::string exhausted(const SweepPlan& plan, const Record& record) {
  const Plan& first = plan.searches.front().plan;
  const auto begun = static_cast<int64_t>(record.runs().size());
  for (size_t i = 0; i < plan.searches.size(); ++i) {
    if (died_out(plan.searches[i].plan, record.history(i))) {
      return "no member of a population has finished with a score to go on from";
    }
  }
  const bool grid = plan.searches.size() == 1 && !plan.sweep.test &&
                    std::holds_alternative<GridSearch>(first.search);
  if (grid && begun < first.settings) return "every setting of the grid was tried";
  return fmt::format("all {} trials were begun", begun);
}

// Whether what has not ended may lead to further trials.
bool may_go_on(const SweepPlan& plan) {
  return plan.sweep.test || plan.searches.front().tried.size() > 1 ||
         std::holds_alternative<PbtSearch>(plan.sweep.search);
}

}  // namespace

std::optional<std::string> spent(const SweepPlan& plan, const Record& record) {
  const BudgetSpec& budget = plan.sweep.budget;
  int64_t tokens = 0;
  for (const Run& run : record.runs()) tokens += run.tokens;
  if (budget.tokens > 0 && tokens >= budget.tokens) {
    return fmt::format("the budget of {} tokens is spent", budget.tokens);
  }
  if (budget.seconds > 0 && record.seconds >= budget.seconds) {
    return fmt::format("the budget of {:g} seconds is over", budget.seconds);
  }
  return std::nullopt;
}

Next next(const SweepPlan& plan, const Record& record, int ranks) {
  if (const auto reason = spent(plan, record)) return ending(record, *reason);
  if (keeps_failing(record)) {
    return ending(record, fmt::format("the last {} trials failed", kMostFailures),
                  Next::Kind::kGivenUp);
  }
  const int64_t open = open_runs(record);
  const std::string waiting = fmt::format("{} trials have not ended", open);
  if (open >= plan.sweep.max_concurrent) return {.reason = waiting};
  const int64_t devices = plan.sweep.budget.devices;
  if (devices > 0 && open > 0 && open_ranks(record) + ranks > devices) {
    return {.reason = fmt::format("{} of {} devices are taken", open_ranks(record), devices)};
  }
  auto run = owed(plan, record);
  if (!run) run = new_candidate(plan, record);
  if (!run && open > 0 && may_go_on(plan)) return {.reason = waiting};
  if (!run) return ending(record, exhausted(plan, record));
  run->number = static_cast<int>(record.runs().size()) + 1;
  run->ranks = ranks;
  return {.kind = Next::Kind::kTrial,
          .run = *std::move(run),
          .reason = fmt::format("trial {}", record.runs().size() + 1)};
}

}  // namespace prefixmem::sweep
