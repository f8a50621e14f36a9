#include "coordinator/sweep/decide.h"

#include <fmt/format.h>

#include <algorithm>

#include "coordinator/sweep/samplers.h"

namespace prefixmem::sweep {
namespace {

int64_t open_trials(const History& history) {
  return std::count_if(history.trials.begin(), history.trials.end(),
                       [](const Trial& trial) { return trial.state == TrialState::kOpen; });
}

int64_t open_ranks(const History& history) {
  int64_t ranks = 0;
  for (const Trial& trial : history.trials) {
    if (trial.state == TrialState::kOpen) ranks += trial.ranks;
  }
  return ranks;
}

bool keeps_failing(const History& history) {
  int failures = 0;
  for (auto trial = history.trials.rbegin(); trial != history.trials.rend(); ++trial) {
    if (trial->state == TrialState::kOpen) continue;
    if (trial->state != TrialState::kFailed) return false;
    if (++failures == kMostFailures) return true;
  }
  return false;
}

// Why no further trial begins, ever.
std::optional<std::string> end(const Plan& plan, const History& history) {
  if (auto reason = spent(plan, history)) return reason;
  const auto begun = static_cast<int64_t>(history.trials.size());
  if (begun >= plan.sweep.budget.trials) return fmt::format("all {} trials were begun", begun);
  return std::nullopt;
}

Next ending(const History& history, const std::string& reason,
            Next::Kind kind = Next::Kind::kDone) {
  const int64_t open = open_trials(history);
  if (open == 0) return {.kind = kind, .reason = reason};
  return {.reason = fmt::format("{}; {} have not ended", reason, open)};
}

}  // namespace

std::optional<std::string> spent(const Plan& plan, const History& history) {
  const BudgetSpec& budget = plan.sweep.budget;
  int64_t tokens = 0;
  for (const Trial& trial : history.trials) tokens += trial.tokens;
  if (budget.tokens > 0 && tokens >= budget.tokens) {
    return fmt::format("the budget of {} tokens is spent", budget.tokens);
  }
  if (budget.seconds > 0 && history.seconds >= budget.seconds) {
    return fmt::format("the budget of {:g} seconds is over", budget.seconds);
  }
  return std::nullopt;
}

Next next(const Plan& plan, const History& history, int ranks) {
  if (const auto reason = end(plan, history)) return ending(history, *reason);
  if (keeps_failing(history)) {
    return ending(history, fmt::format("the last {} trials failed", kMostFailures),
                  Next::Kind::kGivenUp);
  }
  const int64_t open = open_trials(history);
  if (open >= plan.sweep.max_concurrent) {
    return {.reason = fmt::format("{} trials have not ended", open)};
  }
  const int64_t devices = plan.sweep.budget.devices;
  if (devices > 0 && open > 0 && open_ranks(history) + ranks > devices) {
    return {.reason = fmt::format("{} of {} devices are taken", open_ranks(history), devices)};
  }
  const int number = static_cast<int>(history.trials.size()) + 1;
  auto setting = next_setting(plan, history, number);
  if (!setting) return ending(history, "every setting of the grid was tried");
  return {.kind = Next::Kind::kTrial,
          .setting = *std::move(setting),
          .reason = fmt::format("trial {}", number)};
}

}  // namespace prefixmem::sweep
