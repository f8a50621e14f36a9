#include "coordinator/sweep/pbt.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/spec/search_space.h"
#include "coordinator/sweep/axis.h"
#include "coordinator/sweep/samplers.h"

namespace prefixmem::sweep {
namespace {

constexpr double kUp = 1.2;
constexpr double kDown = 0.8;

int64_t generations(const Plan& plan, const PbtSearch& pbt) {
  return std::max<int64_t>(1, (plan.steps + pbt.interval - 1) / pbt.interval);
}

// Infinite where there is none to go on with.
double loss_of(const Plan& plan, const Trial& trial) {
  const auto its = score(trial);
  if (trial.state != TrialState::kFinished || !its) return loss(plan.goal, std::nan(""));
  return loss(plan.goal, *its);
}

// The members of a generation that has ended, the best first.
struct Ranking {
  std::vector<size_t> members;  // from 0
  size_t scored = 0;            // those that come first
  size_t taking = 0;            // of the last, and given to them of the first
};

Ranking rank(const Plan& plan, const PbtSearch& pbt, const Trial* generation) {
  const auto count = static_cast<size_t>(plan.settings);
  std::vector<double> losses;
  for (size_t i = 0; i < count; ++i) losses.push_back(loss_of(plan, generation[i]));
  Ranking ranking;
  ranking.members.resize(count);
  std::iota(ranking.members.begin(), ranking.members.end(), size_t{0});
  std::stable_sort(ranking.members.begin(), ranking.members.end(),
                   [&](size_t a, size_t b) { return losses[a] < losses[b]; });
  ranking.scored = static_cast<size_t>(
      std::count_if(losses.begin(), losses.end(), [](double one) { return std::isfinite(one); }));
  const auto share = static_cast<size_t>(std::ceil(pbt.quantile * static_cast<double>(count)));
  ranking.taking = std::min(share, count / 2);
  return ranking;
}

std::string near(const Domain& domain, const std::string& value, Draws& draws) {
  const bool up = draws.uniform() < 0.5;
  if (const auto* choice = std::get_if<ChoiceDomain>(&domain)) {
    const auto& values = choice->values.items;
    const auto at = std::find(values.begin(), values.end(), value);
    if (up) return at + 1 == values.end() ? value : *(at + 1);
    return at == values.begin() ? value : *(at - 1);
  }
  const Axis axis = axis_of(domain);
  const double place = axis.place(value), factor = up ? kUp : kDown;
  std::string moved = axis.value_at(axis.log ? place + std::log(factor) : place * factor);
  if (!axis.whole || moved != value) return moved;
  const auto number = std::stoll(value) + (up ? 1 : -1);  // small ones would never move
  return axis.value_at(axis.place(std::to_string(number)));
}

// A key that the parent does not have is drawn.
Setting explored(const Plan& plan, const PbtSearch& pbt, const Setting& parent, Draws& draws) {
  Setting setting;
  for (const std::string& path : plan.order) {
    const Domain& domain = plan.space.at(path);
    if (!spec::is_active(domain, setting)) continue;
    const auto before = parent.find(path);
    const bool anew = draws.uniform() < pbt.resample_probability || before == parent.end();
    setting[path] = anew ? random_value(domain, draws) : near(domain, before->second, draws);
  }
  return setting;
}

// Of a generation that has ended and has a score, one member's next.
Generation successor(const Plan& plan, const PbtSearch& pbt, const Trial* before,
                     const Ranking& ranking, size_t member, Draws& draws) {
  const auto place = static_cast<size_t>(
      std::find(ranking.members.begin(), ranking.members.end(), member) - ranking.members.begin());
  Generation next{.member = static_cast<int>(member) + 1};
  const size_t stay = std::min(ranking.scored, ranking.members.size() - ranking.taking);
  if (place < stay) {
    next.parent = before[member].number;
    next.setting = before[member].setting;
    return next;
  }
  const size_t givers = std::min(std::max<size_t>(1, ranking.taking), ranking.scored);
  const auto drawn = static_cast<size_t>(draws.below(static_cast<int64_t>(givers)));
  const Trial& parent = before[ranking.members[drawn]];
  next.parent = parent.number;
  next.setting = explored(plan, pbt, parent.setting, draws);
  return next;
}

bool has_ended(const Plan& plan, const Trial* generation) {
  return std::all_of(generation, generation + plan.settings,
                     [](const Trial& trial) { return trial.state != TrialState::kOpen; });
}

}  // namespace

std::optional<Generation> next_generation(const Plan& plan, const PbtSearch& pbt,
                                          const History& history, int number) {
  const int64_t generation = (number - 1) / plan.settings, member = (number - 1) % plan.settings;
  Draws draws(plan.seed, number);
  if (generation == 0) {
    return Generation{.member = number, .setting = random_setting(plan, draws)};
  }
  if (generation >= generations(plan, pbt)) return std::nullopt;
  const Trial* const before = history.trials.data() + (generation - 1) * plan.settings;
  if (!has_ended(plan, before)) return std::nullopt;
  const Ranking ranking = rank(plan, pbt, before);
  if (ranking.scored == 0) return std::nullopt;
  return successor(plan, pbt, before, ranking, static_cast<size_t>(member), draws);
}

bool died_out(const Plan& plan, const History& history) {
  const auto* pbt = std::get_if<PbtSearch>(&plan.search);
  const auto tried = static_cast<int64_t>(history.trials.size());
  if (pbt == nullptr || tried == 0 || tried % plan.settings != 0) return false;
  if (tried >= plan.settings * generations(plan, *pbt)) return false;
  const Trial* const newest = history.trials.data() + (tried - plan.settings);
  return has_ended(plan, newest) && rank(plan, *pbt, newest).scored == 0;
}

std::optional<int64_t> last_step(const Plan& plan, int candidate) {
  const auto* pbt = std::get_if<PbtSearch>(&plan.search);
  if (pbt == nullptr || plan.steps == 0) return std::nullopt;
  const int64_t generation = (candidate - 1) / plan.settings;
  return std::min((generation + 1) * pbt->interval, plan.steps);
}

}  // namespace prefixmem::sweep
