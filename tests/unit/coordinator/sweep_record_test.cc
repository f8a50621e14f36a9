// Settings that are tried in several jobs: with seeds, on several benchmarks, in searches of their
// own, and then tested.
#include "coordinator/sweep/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <tuple>

#include "coordinator/sweep/decide.h"
#include "coordinator/sweep/halving.h"
#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

SweepPlan plan_in(const std::string& head, const std::string& sweep) {
  const auto spec = parse_job_spec("name: a\nmodel: /m\n" + head + "\nsweep: " + sweep);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  auto planned = spec.ok() ? plan_of(*spec) : Result<SweepPlan>(spec.status());
  EXPECT_TRUE(planned.ok()) << planned.status().message();
  return planned.ok() ? std::move(planned).value() : SweepPlan();
}

const std::string kHead =
    "data: {train: t, validation: v, eval: e}\ntrain: {max_steps: 9, eval_every: 1}";

// Two methods and the untuned model on three sets of rows, tuned on two of them.
SweepPlan whole_sweep(const std::string& more = "") {
  return plan_in(
      kHead,
      "{trials: [{method: none, train.max_steps: null}, {method: lora}, {method: prefix_memory}],"
      " grid: {data.eval: [a, b, c]}, search: grid, max_concurrent: 100,"
      " space: {train.learning_rate: {type: choice, values: [1, 2, 3], when: {method: [lora, "
      "prefix_memory]}}, method.r: {type: choice, values: [4, 8], when: {method: [lora]}}}" +
          more + "}");
}

// Ends all open jobs; a job's loss is what `loss_of` says.
template <class F>
int run_all(const SweepPlan& plan, Record& record, const F& loss_of) {
  int begun = 0;
  while (true) {
    Next decision = next(plan, record, 1);
    if (decision.kind == Next::Kind::kTrial) {
      record.put(plan, decision.run);
      ++begun;
      continue;
    }
    if (decision.kind != Next::Kind::kWait) return begun;
    bool any = false;
    for (sweep::Run run : std::vector<sweep::Run>(record.runs())) {
      if (run.state != TrialState::kOpen) continue;
      any = true;
      run.reports = {{9, loss_of(run)}};
      run.state = std::isfinite(run.reports[0].value) ? TrialState::kFinished : TrialState::kFailed;
      record.put(plan, run);
    }
    if (!any) return ADD_FAILURE() << "waits for nothing: " << decision.reason, begun;
  }
}

TEST(Plan, EachCombinationHasASearchWithTheKeysThatHoldThere) {
  const SweepPlan plan = whole_sweep();
  ASSERT_THAT(plan.searches, SizeIs(9));
  EXPECT_THAT(plan.combinations[4], (Setting{{"method", "lora"}, {"data.eval", "b"}}));
  EXPECT_FALSE(plan.searches[0].choosing) << "nothing to choose for the untuned model";
  EXPECT_THAT(plan.searches[3].plan.order, ElementsAre("method.r", "train.learning_rate"));
  EXPECT_THAT(plan.searches[6].plan.order, ElementsAre("train.learning_rate"));
  EXPECT_THAT(plan.searches[3].tried, ElementsAre(Place{3, 0}));
}

TEST(Plan, OneSearchServesTheAxesThatItIsTunedOn) {
  const SweepPlan plan =
      whole_sweep(", seeds: 2, tune_on: {data.eval: [a, c]}, test: {seeds: [7, 8]}");
  ASSERT_THAT(plan.searches, SizeIs(3));
  EXPECT_THAT(plan.searches[1].tried,
              ElementsAre(Place{3, 0}, Place{3, 1}, Place{5, 0}, Place{5, 1}));
  EXPECT_THAT(plan.searches[1].tested, SizeIs(6));
  EXPECT_THAT(plan.searches[0].tested, ElementsAre(Place{0, 0}, Place{1, 0}, Place{2, 0}))
      << "with one seed, as none changes an untuned model";
  EXPECT_EQ(plan.searches[0].plan.settings, 0) << "there is nothing to choose, so it is tested";
}

TEST(Sweeps, ASettingIsTriedWithEachSeedAndItsScoreIsTheMean) {
  const SweepPlan plan =
      plan_in(kHead, "{seeds: [5, 6, 7], search: grid, space: {train.learning_rate: [1, 2]}}");
  Record record;
  EXPECT_EQ(run_all(plan, record,
                    [](const sweep::Run& run) {
                      return 10.0 * run.candidate + static_cast<double>(run.place.seed);
                    }),
            6);
  const History& history = record.history(0);
  ASSERT_THAT(history.trials, SizeIs(2));
  EXPECT_EQ(history.trials[0].state, TrialState::kFinished);
  EXPECT_EQ(score(history.trials[0]), 11);
  EXPECT_EQ(score(history.trials[1]), 21);
  EXPECT_EQ(best_candidate(plan.searches[0].plan, history), 1) << "a loss";
}

TEST(Sweeps, AMeanIsOverTheSeedsThatHaveFinished) {
  const SweepPlan plan =
      plan_in(kHead, "{seeds: 3, search: grid, space: {train.learning_rate: [1, 2]}}");
  Record record;
  run_all(plan, record, [](const sweep::Run& run) {
    const bool fails = run.candidate == 2 || run.place.seed == 0;
    return fails ? std::nan("") : 4.0 * static_cast<double>(run.place.seed);
  });
  EXPECT_EQ(score(record.history(0).trials[0]), 6);
  EXPECT_EQ(record.history(0).trials[1].state, TrialState::kFailed);
}

TEST(Sweeps, WhatIsTunedOnSeveralNeedsAScoreOnEach) {
  const SweepPlan plan = whole_sweep(", tune_on: {data.eval: [a, c]}, test: {}");
  Record record;
  run_all(plan, record, [&](const sweep::Run& run) {
    if (run.test) return 0.0;
    const bool on_c = run.place.combination % 3 == 2;
    if (on_c && run.setting.at("train.learning_rate") == "1") return std::nan("");
    return std::stod(run.setting.at("train.learning_rate"));
  });
  const History& history = record.history(2);
  ASSERT_THAT(history.trials, SizeIs(3));
  EXPECT_EQ(history.trials[0].state, TrialState::kFailed) << "one of its two benchmarks failed";
  EXPECT_EQ(best_candidate(plan.searches[2].plan, history), 2);
}

TEST(Sweeps, TestsTheBestSettingOfEachSearch) {
  const SweepPlan plan = whole_sweep(", tune_on: {data.eval: [a]}, test: {seeds: 4}");
  Record record;
  const int begun = run_all(plan, record, [](const sweep::Run& run) {
    if (run.test) return 1.0;
    return std::abs(std::stod(run.setting.at("train.learning_rate")) - 2);
  });
  // lora 6 settings, prefix_memory 3; tests 3 benchmarks × 4 seeds of each, 3 × 1 of the untuned.
  EXPECT_EQ(begun, 6 + 3 + 12 + 12 + 3);
  std::set<std::tuple<size_t, size_t>> tested;
  for (const sweep::Run& run : record.runs()) {
    if (!run.test) continue;
    EXPECT_TRUE(tested.emplace(run.place.combination, run.place.seed).second) << "repeated";
    if (run.place.combination < 3) {
      EXPECT_EQ(run.setting, Setting());
    } else {
      EXPECT_EQ(run.setting.at("train.learning_rate"), "2");
    }
  }
  EXPECT_THAT(tested, SizeIs(27));
}

TEST(Sweeps, WithoutATestEachCombinationIsTriedWhereThereIsNothingToChoose) {
  const SweepPlan plan = whole_sweep(", budget: {trials: 2}");
  Record record;
  EXPECT_EQ(run_all(plan, record, [](const sweep::Run&) { return 1.0; }), 3 + 3 * 2 + 3 * 2);
}

TEST(Sweeps, SearchesGetTheSameBudgetWheneverTheyAreCutShort) {
  const SweepPlan plan = whole_sweep(", budget: {devices: 1}");
  Record record;
  for (int i = 0; i < 20; ++i) {
    const Next decision = next(plan, record, 1);
    ASSERT_EQ(decision.kind, Next::Kind::kTrial);
    sweep::Run run = decision.run;
    run.state = TrialState::kFinished;
    run.reports = {{9, 1}};
    record.put(plan, run);
    size_t least = 100;
    size_t most = 0;
    for (size_t search = 3; search < 9; ++search) {
      least = std::min(least, record.history(search).trials.size());
      most = std::max(most, record.history(search).trials.size());
    }
    EXPECT_LE(most - least, 1u);
  }
}

TEST(Sweeps, OfASettingThatIsStoppedEarlyOneJobAloneIsRun) {
  const SweepPlan plan = plan_in(
      kHead,
      "{seeds: 3, search: {type: asha, min_steps: 1, reduction_factor: 2}, max_concurrent: 4,"
      " budget: {trials: 8}, space: {train.learning_rate: {type: uniform, low: 1, high: 2}}}");
  Record record;
  int judged = 0;
  for (int round = 0; round < 1000; ++round) {
    Next decision = next(plan, record, 1);
    for (; decision.kind == Next::Kind::kTrial; decision = next(plan, record, 1)) {
      record.put(plan, decision.run);
    }
    if (decision.kind == Next::Kind::kDone) break;
    for (sweep::Run run : std::vector<sweep::Run>(record.runs())) {
      if (run.state != TrialState::kOpen) continue;
      const auto step = static_cast<int64_t>(run.reports.size()) + 1;
      run.reports.push_back({step, std::stod(run.setting.at("train.learning_rate")) +
                                       static_cast<double>(run.place.seed)});
      record.put(plan, run);
      const auto verdict = judge(plan, record, run);
      EXPECT_EQ(verdict.has_value(), run.place.seed == 0);
      if (verdict) run.rungs = verdict->rungs;
      if (verdict && verdict->stop) run.state = TrialState::kStopped;
      if (run.state == TrialState::kOpen && step == 9) run.state = TrialState::kFinished;
      judged += verdict.has_value() ? 1 : 0;
      record.put(plan, run);
    }
  }
  EXPECT_GT(judged, 8);
  const History& history = record.history(0);
  ASSERT_THAT(history.trials, SizeIs(8));
  int stopped = 0;
  for (const Trial& trial : history.trials) {
    const size_t jobs = record.tries(0, trial.number).size();
    if (trial.state == TrialState::kStopped) {
      EXPECT_EQ(jobs, 1u);
      ++stopped;
    } else {
      EXPECT_EQ(trial.state, TrialState::kFinished);
      EXPECT_EQ(jobs, 3u);
      EXPECT_NEAR(*score(trial), std::stod(trial.setting.at("train.learning_rate")) + 1, 1e-9)
          << "the mean of three whole runs";
    }
  }
  EXPECT_GT(stopped, 2);
  EXPECT_LT(stopped, 8);
}

// Whatever ends in whatever order: no job is begun twice, none is left out, and a record that is
// made anew from its jobs decides as the one that has grown.
TEST(Sweeps, BeginEachJobOnce) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const char* const kinds[] = {"random", "grid", "tpe",
                                 "{type: asha, min_steps: 1, reduction_factor: 2}"};
    const std::string tuned = seed % 3 == 0 ? ", tune_on: {data.eval: [a, b]}" : "";
    const SweepPlan plan = plan_in(
        kHead, std::string("{search: ") + kinds[seed % 4] +
                   ", seeds: " + std::to_string(1 + seed % 3) + ", test: {seeds: 3}" + tuned +
                   ", max_concurrent: 5, budget: {trials: 3},"
                   " trials: [{method: lora}, {method: none, train.max_steps: null}],"
                   " grid: {data.eval: [a, b]}, space: {train.learning_rate: {type: choice, "
                   "values: [1, 2, 3, 4], when: {method: [lora]}}}}");
    Record record;
    std::set<std::tuple<size_t, size_t, int, bool>> begun;
    for (int round = 0; round < 10000; ++round) {
      Record again;
      for (const sweep::Run& run : record.runs()) again.put(plan, run);
      const Next decision = next(plan, record, 1);
      const Next same = next(plan, again, 1);
      ASSERT_EQ(decision.kind, same.kind);
      ASSERT_EQ(decision.run.setting, same.run.setting);
      ASSERT_EQ(decision.run.place, same.run.place);
      if (decision.kind == Next::Kind::kDone) break;
      if (decision.kind == Next::Kind::kTrial) {
        const sweep::Run& run = decision.run;
        ASSERT_TRUE(
            begun.emplace(run.place.combination, run.place.seed, run.candidate, run.test).second);
        record.put(plan, run);
        continue;
      }
      std::vector<size_t> open;
      for (size_t i = 0; i < record.runs().size(); ++i) {
        if (record.runs()[i].state == TrialState::kOpen) open.push_back(i);
      }
      ASSERT_FALSE(open.empty()) << decision.reason;
      sweep::Run run = record.runs()[open[random() % open.size()]];
      run.state = random() % 5 == 0 ? TrialState::kStopped : TrialState::kFinished;
      run.reports = {{9, static_cast<double>(random() % 100)}};
      record.put(plan, run);
    }
    size_t expected = 2;  // tests of the untuned model
    for (size_t i = 0; i < plan.searches.size(); ++i) {
      if (!plan.searches[i].choosing) continue;
      const History& history = record.history(i);
      EXPECT_THAT(history.trials, SizeIs(3));
      for (const Trial& trial : history.trials) {
        const auto& tries = record.tries(i, trial.number);
        const bool dropped = plan.searches[i].plan.stops_early() &&
                             record.runs()[tries.front()].state != TrialState::kFinished;
        EXPECT_EQ(tries.size(), dropped ? 1 : plan.searches[i].tried.size());
        expected += tries.size();
      }
      const bool found = best_candidate(plan.searches[i].plan, history).has_value();
      EXPECT_EQ(record.tests(i).size(), found ? plan.searches[i].tested.size() : 0);
      expected += record.tests(i).size();
    }
    EXPECT_EQ(begun.size(), expected);
  }
}

}  // namespace
}  // namespace prefixmem::sweep
