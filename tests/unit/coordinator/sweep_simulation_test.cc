// Searches on simulated workers whose trials have learning curves known in advance.
#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "coordinator/sweep/decide.h"
#include "coordinator/sweep/halving.h"
#include "coordinator/sweep/pbt.h"
#include "tests/unit/coordinator/sweep_curves.h"
#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

constexpr int kWorkers = 8;
constexpr int64_t kSteps = 81;
constexpr int kTrials = 200;
constexpr int kSeeds = 20;
constexpr int kLostByEarlyStops = 6;  // of the best trials, at most

struct Outcome {
  int64_t steps = 0;        // of all trials
  int64_t time_to_top = 0;  // when the first trial of the top twentieth has finished
  double best = 0;          // quality of the trial that the search ends with
  Setting setting;          // of that trial
  int64_t better = 0;       // trials that would have come to more, had they gone on
  int64_t passed_over = 0;  // those of them that have finished
  int trials = 0;
};

class Cluster {
 public:
  explicit Cluster(SweepPlan plan)
      : plan_(std::move(plan)), top_(top_twentieth(plan_.searches.front().plan)) {}

  Outcome run() {
    for (int64_t now = 0; !fill(); ++now) {
      for (size_t i = 0; i < record_.runs().size(); ++i) {
        // Trials differ in speed, so that reports come mixed.
        const bool slow = record_.runs()[i].number % 3 == 0;
        if (record_.runs()[i].state == TrialState::kOpen && !(slow && now % 2 == 0)) {
          step(record_.runs()[i], now + 1);
        }
      }
    }
    finish();
    return outcome_;
  }

 private:
  // Whether the search is over.
  bool fill() {
    while (true) {
      const Next decision = next(plan_, record_, 1);
      if (decision.kind != Next::Kind::kTrial) return decision.kind == Next::Kind::kDone;
      record_.put(plan_, decision.run);
    }
  }

  // A trial that goes on from another has come as far as that one had.
  int64_t steps_done(const Run& run) const {
    if (!run.reports.empty()) return run.reports.back().step;
    return run.parent == 0 ? 0 : steps_done(record_.runs()[static_cast<size_t>(run.parent - 1)]);
  }

  void step(Run running, int64_t now) {
    const int64_t at = steps_done(running) + 1;
    const Plan& plan = plan_.searches.front().plan;
    const int64_t last = last_step(plan, running.candidate).value_or(kSteps);
    outcome_.steps += 1;
    running.reports.push_back({at, accuracy(running.setting, at, kSteps, noise_)});
    record_.put(plan_, running);
    const auto verdict = judge(plan_, record_, running);
    if (verdict) running.rungs = verdict->rungs;
    if (verdict && verdict->stop) {
      running.state = TrialState::kStopped;
    } else if (at == last) {
      running.state = TrialState::kFinished;
      const bool top = at == kSteps && quality(running.setting) >= top_;
      if (top && outcome_.time_to_top == 0) outcome_.time_to_top = now;
    }
    record_.put(plan_, std::move(running));
  }

  void finish() {
    const History& history = record_.history(0);
    const auto best = best_candidate(plan_.searches.front().plan, history);
    outcome_.trials = static_cast<int>(record_.runs().size());
    if (!best) return;
    outcome_.setting = history.trials[static_cast<size_t>(*best - 1)].setting;
    outcome_.best = quality(outcome_.setting);
    for (const Trial& trial : history.trials) {
      if (quality(trial.setting) <= outcome_.best) continue;
      outcome_.better += 1;
      if (trial.state == TrialState::kFinished) outcome_.passed_over += 1;
    }
  }

  const SweepPlan plan_;
  const double top_;
  Record record_;
  Draws noise_{7, 7};
  Outcome outcome_;
};

const std::string kAsha = "{type: asha, min_steps: 1, reduction_factor: 3}";
const std::string kHyperband = "{type: hyperband, min_steps: 1, max_steps: 81}";
const std::string kPbt = "{type: pbt, interval: 9}";

SweepPlan search(const std::string& search, int seed) {
  std::string space = search == "grid" ? kGridSpace : kSpace;
  if (search == kPbt) space = kPopulationSpace;
  SweepPlan plan = whole_plan("{search: " + search + ", seed: " + std::to_string(seed) +
                              ", budget: {trials: " + std::to_string(kTrials) +
                              "}, max_concurrent: " + std::to_string(kWorkers) +
                              ", goal: {metric: loss, mode: max}, " + space + "}");
  plan.searches.front().plan.steps = kSteps;
  return plan;
}

TEST(SweepSimulation, EverySearchEndsInTheTopTwentieth) {
  for (const std::string& kind :
       {std::string("grid"), std::string("random"), std::string("tpe"), kAsha, kHyperband}) {
    const int seeds = kind == "grid" ? 1 : kSeeds;
    for (int seed = 0; seed < seeds; ++seed) {
      const SweepPlan plan = search(kind, seed);
      const Outcome outcome = Cluster(plan).run();
      EXPECT_EQ(outcome.trials, kTrials);
      EXPECT_GE(outcome.best, top_twentieth(plan.searches.front().plan))
          << kind << ", seed " << seed;
      EXPECT_EQ(outcome.passed_over, 0) << "a whole trial ends without noise";
      EXPECT_LE(outcome.better, kLostByEarlyStops) << kind << ", seed " << seed;
    }
  }
}

TEST(SweepSimulation, TheGridFindsItsBestSetting) {
  const SweepPlan plan = search("grid", 0);
  EXPECT_EQ(Cluster(plan).run().setting, best_of_grid(plan.searches.front().plan));
}

TEST(SweepSimulation, AshaSpendsUnderAThirdOfTheGridsSteps) {
  const int64_t grid = Cluster(search("grid", 0)).run().steps;
  EXPECT_EQ(grid, kTrials * kSteps);
  for (int seed = 0; seed < kSeeds; ++seed) {
    EXPECT_LT(3 * Cluster(search(kAsha, seed)).run().steps, grid) << "seed " << seed;
  }
}

// Time until a trial of the top twentieth has finished, over all seeds.
int64_t time_to_top(const std::string& kind) {
  int64_t sum = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Outcome outcome = Cluster(search(kind, seed)).run();
    EXPECT_GT(outcome.time_to_top, 0) << kind << ", seed " << seed;
    sum += outcome.time_to_top;
  }
  return sum;
}

TEST(SweepSimulation, TheModelAndEarlyStopsAreFasterThanChance) {
  const int64_t random = time_to_top("random");
  for (const std::string& kind : {std::string("tpe"), kAsha, kHyperband}) {
    EXPECT_LT(time_to_top(kind), random) << kind;
  }
}

TEST(SweepSimulation, APopulationEndsInTheTopTwentieth) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    const SweepPlan plan = search(kPbt, seed);
    const Outcome outcome = Cluster(plan).run();
    EXPECT_EQ(outcome.trials, kTrials * 9) << "a generation is a job";
    EXPECT_EQ(outcome.steps, kTrials * kSteps);
    EXPECT_GE(outcome.best, top_twentieth(plan.searches.front().plan)) << "seed " << seed;
  }
}

TEST(SweepSimulation, IsTheSameEachTime) {
  for (const std::string& kind : {std::string("tpe"), kAsha, kPbt}) {
    const Outcome one = Cluster(search(kind, 3)).run();
    const Outcome two = Cluster(search(kind, 3)).run();
    EXPECT_EQ(one.steps, two.steps);
    EXPECT_EQ(one.best, two.best);
  }
}

}  // namespace
}  // namespace prefixmem::sweep
