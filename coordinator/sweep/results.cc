#include "coordinator/sweep/results.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {
namespace {

Setting without_seeds(Setting setting) {
  for (const char* seed : {"train.seed", "eval.seed", "data.few_shot.seed"}) setting.erase(seed);
  return setting;
}

void add(const Cost& cost, Cost& sum) {
  sum.tokens += cost.tokens;
  sum.seconds += cost.seconds;
  sum.device_seconds += cost.device_seconds;
}

void summarize(const GoalSpec& goal, const std::vector<Outcome>& outcomes, Group& group) {
  std::vector<double> scores;
  double least = 0;
  for (const size_t member : group.members) {
    const Outcome& one = outcomes[member];
    add(one.cost, group.cost);
    if (one.state != TrialState::kFinished || !one.score) continue;
    const double its_loss = loss(goal, *one.score);
    if (scores.empty() || its_loss < least) {
      least = its_loss;
      group.best_job = one.job_id;
    }
    scores.push_back(*one.score);
  }
  if (scores.empty()) return;
  const auto count = static_cast<double>(scores.size());
  double sum = 0;
  for (const double score : scores) sum += score;
  group.mean = sum / count;
  if (scores.size() < 2) return;
  double squares = 0;
  for (const double score : scores) squares += (score - *group.mean) * (score - *group.mean);
  group.sd = std::sqrt(squares / (count - 1));
}

}  // namespace

std::vector<Group> group_by_setting(const GoalSpec& goal, const std::vector<Outcome>& outcomes) {
  std::vector<Group> groups;
  std::map<Setting, size_t> known;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Setting setting = without_seeds(outcomes[i].setting);
    const auto [found, is_new] = known.emplace(setting, groups.size());
    if (is_new) groups.push_back({.setting = std::move(setting)});
    groups[found->second].members.push_back(i);
  }
  for (Group& group : groups) summarize(goal, outcomes, group);
  std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    if (!a.mean || !b.mean) return a.mean.has_value() && !b.mean;
    return loss(goal, *a.mean) < loss(goal, *b.mean);
  });
  return groups;
}

Cost total(const std::vector<Group>& groups) {
  Cost sum;
  for (const Group& group : groups) add(group.cost, sum);
  return sum;
}

}  // namespace prefixmem::sweep
