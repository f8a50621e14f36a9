#include "coordinator/sweep/halving.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace prefixmem::sweep {
namespace {

struct Ladder {
  double first_steps = 1;
  int64_t factor = 2;
  int bracket = 0;

  double steps(size_t rung) const {
    return first_steps * std::pow(static_cast<double>(factor), static_cast<double>(rung));
  }
};

// Shares of the trials that the brackets get, from 0 on; bracket 0 has the most and shortest.
std::vector<int64_t> bracket_shares(const HyperbandSearch& search) {
  const int64_t factor = search.reduction_factor;
  int brackets = 1;
  for (int64_t steps = search.min_steps * factor; steps <= search.max_steps; steps *= factor) {
    brackets += 1;
  }
  std::vector<int64_t> shares;
  for (int left = brackets - 1; left >= 0; --left) {
    shares.push_back(
        static_cast<int64_t>(std::ceil(brackets * std::pow(factor, left) / (left + 1))));
  }
  return shares;
}

int bracket_of(const HyperbandSearch& search, const std::string& name, int number) {
  const std::vector<int64_t> shares = bracket_shares(search);
  int64_t sum = 0;
  for (const int64_t share : shares) sum += share;
  const std::string key = fmt::format("{}_{}", name, number - 1);
  auto place = static_cast<int64_t>(
      crc32(0, reinterpret_cast<const Bytef*>(key.data()), static_cast<uInt>(key.size())));
  place %= sum;
  int bracket = 0;
  while (place >= shares[static_cast<size_t>(bracket)]) {
    place -= shares[static_cast<size_t>(bracket++)];
  }
  return bracket;
}

std::optional<Ladder> ladder_of(const Plan& plan, int number) {
  if (const auto* asha = std::get_if<AshaSearch>(&plan.search)) {
    return Ladder{static_cast<double>(asha->min_steps), asha->reduction_factor, 0};
  }
  if (const auto* hyperband = std::get_if<HyperbandSearch>(&plan.search)) {
    Ladder ladder{static_cast<double>(hyperband->min_steps), hyperband->reduction_factor,
                  bracket_of(*hyperband, plan.name, number)};
    ladder.first_steps = ladder.steps(static_cast<size_t>(ladder.bracket));
    return ladder;
  }
  return std::nullopt;
}

// The losses of the others of its bracket that have come to the rung, and its own; sorted.
std::vector<double> competing(const Plan& plan, const History& history, size_t trial, size_t rung,
                              double value) {
  std::vector<double> losses = {loss(plan.goal, value)};
  const int bracket = bracket_of(plan, history.trials[trial].number);
  for (size_t i = 0; i < history.trials.size(); ++i) {
    const Trial& other = history.trials[i];
    if (i == trial || other.rungs.size() <= rung) continue;
    if (bracket_of(plan, other.number) == bracket)
      losses.push_back(loss(plan.goal, other.rungs[rung]));
  }
  std::sort(losses.begin(), losses.end());
  return losses;
}

}  // namespace

int bracket_of(const Plan& plan, int number) {
  const auto* hyperband = std::get_if<HyperbandSearch>(&plan.search);
  return hyperband == nullptr ? 0 : bracket_of(*hyperband, plan.name, number);
}

Verdict judge(const Plan& plan, const History& history, size_t trial) {
  const Trial& judged = history.trials[trial];
  Verdict verdict{.rungs = judged.rungs};
  const auto ladder = ladder_of(plan, judged.number);
  if (!ladder) return verdict;
  const auto [step, value] = judged.reports.back();
  while (static_cast<double>(step) >= ladder->steps(verdict.rungs.size())) {
    const size_t rung = verdict.rungs.size();
    if (std::isnan(value)) {
      verdict.stop = true;
      verdict.reason = fmt::format("{} is not a number at step {}", plan.goal.metric, step);
      return verdict;
    }
    const auto losses = competing(plan, history, trial, rung, value);
    verdict.rungs.push_back(value);
    const size_t best = std::max<size_t>(losses.size() / static_cast<size_t>(ladder->factor), 1);
    if (loss(plan.goal, value) <= losses[best - 1]) continue;
    verdict.stop = true;
    verdict.reason = fmt::format("{} {:.6g} at step {} is not among the best {} of {} at rung {}",
                                 plan.goal.metric, value, step, best, losses.size(), rung);
    if (ladder->bracket > 0) verdict.reason += fmt::format(" of bracket {}", ladder->bracket);
    return verdict;
  }
  return verdict;
}

std::optional<Verdict> judge(const SweepPlan& plan, const Record& record, const Run& run) {
  const size_t index = plan.search_of.at(run.place.combination);
  const Search& search = plan.searches[index];
  const bool first = run.place == search.tried.front() && !run.test;
  if (!search.plan.stops_early() || !first) return std::nullopt;
  return judge(search.plan, record.history(index), static_cast<size_t>(run.candidate - 1));
}

}  // namespace prefixmem::sweep
