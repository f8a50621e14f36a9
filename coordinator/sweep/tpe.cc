#include <algorithm>
#include <cmath>
#include <tuple>

#include "common/spec/search_space.h"
#include "coordinator/sweep/parzen.h"
#include "coordinator/sweep/samplers.h"

namespace prefixmem::sweep {
namespace {

constexpr double kBestShare = 0.1;
constexpr size_t kMostBest = 25;
constexpr double kExplored = 0.1;  // share of trials drawn at random all the same

using Trials = std::vector<const Trial*>;

struct Split {
  Trials best;
  Trials rest;
};

// Finished trials by their score, then stopped ones by how far they came, then by score.
auto rank(const Plan& plan, const Trial& trial) {
  const bool finished = trial.state == TrialState::kFinished;
  const int64_t step = finished || trial.reports.empty() ? 0 : trial.reports.back().step;
  return std::tuple(!finished, -step, loss(plan.goal, score(trial).value_or(std::nan(""))));
}

Split split(const Plan& plan, const Trials& ended, const Trials& open) {
  Trials ranked = ended;
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](const Trial* a, const Trial* b) { return rank(plan, *a) < rank(plan, *b); });
  const auto share =
      static_cast<size_t>(std::ceil(kBestShare * static_cast<double>(ranked.size())));
  const auto middle = ranked.begin() + static_cast<std::ptrdiff_t>(std::min(share, kMostBest));
  Split parts{{ranked.begin(), middle}, {middle, ranked.end()}};
  parts.rest.insert(parts.rest.end(), open.begin(), open.end());
  const auto by_number = [](const Trial* a, const Trial* b) { return a->number < b->number; };
  std::sort(parts.best.begin(), parts.best.end(), by_number);
  std::sort(parts.rest.begin(), parts.rest.end(), by_number);
  return parts;
}

// The settings that have all of the keys.
std::vector<const Setting*> observed(const Trials& trials, const std::vector<std::string>& paths) {
  std::vector<const Setting*> settings;
  for (const Trial* trial : trials) {
    const bool whole = std::all_of(paths.begin(), paths.end(), [&](const std::string& path) {
      return trial->setting.contains(path);
    });
    if (whole) settings.push_back(&trial->setting);
  }
  return settings;
}

Setting most_promising(const SearchSpace& space, const std::vector<std::string>& paths,
                       const Split& parts, int64_t candidates, Draws& draws) {
  const Parzen good(space, paths, observed(parts.best, paths));
  const Parzen bad(space, paths, observed(parts.rest, paths));
  Setting best;
  double highest = 0;
  for (int64_t i = 0; i < candidates; ++i) {
    Setting candidate = good.draw(draws);
    const double gain = good.log_density(candidate) - bad.log_density(candidate);
    if (i > 0 && gain <= highest) continue;
    best = std::move(candidate);
    highest = gain;
  }
  return best;
}

// The keys that are to be set and whose conditions are all decided by `setting`.
std::vector<std::string> next_level(const Plan& plan, const Setting& setting) {
  std::vector<std::string> level;
  for (const std::string& path : plan.order) {
    if (!setting.contains(path) && spec::is_active(plan.space.at(path), setting)) {
      level.push_back(path);
    }
  }
  return level;
}

}  // namespace

Setting tpe_setting(const Plan& plan, const TpeSearch& tpe, const History& history, Draws& draws) {
  Trials ended;
  Trials open;
  for (const Trial& trial : history.trials) {
    if (trial.state == TrialState::kOpen) open.push_back(&trial);
    const bool compared =
        trial.state == TrialState::kFinished || trial.state == TrialState::kStopped;
    if (compared && score(trial)) ended.push_back(&trial);
  }
  const bool starting = static_cast<int64_t>(ended.size()) < tpe.startup_trials;
  if (starting || draws.uniform() < kExplored) return random_setting(plan, draws);
  const Split parts = split(plan, ended, open);
  Setting setting;
  for (auto level = next_level(plan, setting); !level.empty(); level = next_level(plan, setting)) {
    setting.merge(most_promising(plan.space, level, parts, tpe.candidates, draws));
  }
  return setting;
}

}  // namespace prefixmem::sweep
