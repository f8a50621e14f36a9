#include "coordinator/sweep/results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {
namespace {

constexpr std::array<const char*, 3> kSeeds = {"train.seed", "eval.seed", "data.few_shot.seed"};

void summarize(const std::vector<Outcome>& outcomes, Group& group) {
  std::vector<double> scores;
  double least = 0;
  for (const size_t member : group.members) {
    const Outcome& one = outcomes[member];
    add(one.cost, group.cost);
    if (!one.counts()) continue;
    const double its_loss = loss(group.goal, *one.score);
    if (scores.empty() || its_loss < least) {
      least = its_loss;
      group.best_job = one.job_id;
    }
    scores.push_back(*one.score);
  }
  const Spread found = spread(scores);
  group.mean = found.mean;
  group.sd = found.sd;
}

}  // namespace

std::vector<Group> group_by_setting(const std::vector<Outcome>& outcomes) {
  std::vector<Group> groups;
  std::map<Setting, size_t> known;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Setting setting = without_seeds(outcomes[i].setting);
    const auto [found, is_new] = known.emplace(setting, groups.size());
    if (is_new) groups.push_back({.setting = std::move(setting), .goal = outcomes[i].goal});
    groups[found->second].members.push_back(i);
  }
  for (Group& group : groups) summarize(outcomes, group);
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    if (!a.mean || !b.mean) return a.mean.has_value() && !b.mean;
    return loss(a.goal, *a.mean) < loss(b.goal, *b.mean);
  });
  return groups;
}

void add(const Cost& cost, Cost& sum) {
  sum.tokens += cost.tokens;
  sum.seconds += cost.seconds;
  sum.device_seconds += cost.device_seconds;
}

Cost total(const std::vector<Group>& groups) {
  Cost sum;
  for (const Group& group : groups) add(group.cost, sum);
  return sum;
}

Setting seeds_in(const Setting& setting) {
  Setting seeds;
  for (const char* key : kSeeds) {
    const auto found = setting.find(key);
    if (found != setting.end()) seeds.insert(*found);
  }
  return seeds;
}

Setting without_seeds(Setting setting) {
  for (const char* key : kSeeds) setting.erase(key);
  return setting;
}

Spread spread(const std::vector<double>& values) {
  Spread found;
  if (values.empty()) return found;
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  found.mean = sum / count;
  if (values.size() < 2) return found;
  double squares = 0;
  for (const double value : values) squares += (value - *found.mean) * (value - *found.mean);
  found.sd = std::sqrt(squares / (count - 1));
  return found;
}

}  // namespace prefixmem::sweep
