// Methods by benchmarks.
#include "coordinator/sweep/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace prefixmem::sweep {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

const GoalSpec kAccuracy{.metric = "accuracy", .mode = GoalSpec::Mode::kMax};
const GoalSpec kMatch{.metric = "exact_match", .mode = GoalSpec::Mode::kMax};
const GoalSpec kLoss{.metric = "loss", .mode = GoalSpec::Mode::kMin};

struct Given {
  std::string method;
  std::string benchmark;
  std::string rate;
  int seed = 0;
  double score = 0;
  bool test = false;
  GoalSpec goal = kAccuracy;
  std::string tested_on = {};  // empty: the benchmark
};

std::vector<Outcome> outcomes(const std::vector<Given>& all) {
  std::vector<Outcome> made;
  for (const Given& one : all) {
    Outcome outcome{.job_id = "job-" + std::to_string(made.size() + 1),
                    .goal = one.goal,
                    .method = one.method,
                    .trained_on = one.benchmark,
                    .tested_on = one.tested_on.empty() ? one.benchmark : one.tested_on,
                    .test = one.test,
                    .state = TrialState::kFinished,
                    .score = one.score,
                    .cost = {10, 1, 2}};
    if (!one.rate.empty()) outcome.chosen = {{"train.learning_rate", one.rate}};
    outcome.setting = outcome.chosen;
    outcome.setting["train.seed"] = std::to_string(one.seed);
    outcome.setting["eval.split"] = one.test ? "test" : "validation";
    made.push_back(std::move(outcome));
  }
  return made;
}

TEST(Answer, WhatASearchChoosesByIsNoScoreUntilItIsTested) {
  auto all = outcomes({{"none", "a", "", 0, 0.4},
                       {"lora", "a", "1", 0, 0.9},
                       {"lora", "a", "2", 0, 0.7},
                       {"full", "a", "1", 0, 0.8},
                       {"full", "a", "1", 0, 0.6, true}});
  for (const size_t i : {1, 2, 3}) all[i].choosing = true;
  const Answer found = answer(all, "none");
  EXPECT_TRUE(found.tested);
  const Row &untuned = found.rows.at(0), &lora = found.rows.at(1), &full = found.rows.at(2);
  EXPECT_EQ(untuned.cells[0].mean, 0.4);
  EXPECT_EQ(lora.cells[0].mean, std::nullopt);
  EXPECT_EQ(lora.cells[0].validation, 0.9);
  EXPECT_EQ(lora.cells[0].seeds, 0);
  EXPECT_FALSE(lora.comparison);
  EXPECT_EQ(full.cells[0].mean, 0.6);
  EXPECT_EQ(full.cells[0].validation, 0.8);
  EXPECT_EQ(full.comparison->pairs, 1);
}

TEST(Answer, ScoresAreTestsOfTheSettingThatWasChosen) {
  const Answer found = answer(outcomes({{"lora", "a", "1", 0, 0.9},
                                        {"lora", "a", "2", 0, 0.7},
                                        {"lora", "a", "1", 0, 0.5, true},
                                        {"lora", "a", "1", 1, 0.6, true}}),
                              "");
  EXPECT_TRUE(found.tested);
  ASSERT_THAT(found.rows, SizeIs(1));
  const Cell& cell = found.rows[0].cells.at(0);
  EXPECT_DOUBLE_EQ(*cell.mean, 0.55);
  EXPECT_NEAR(*cell.sd, std::sqrt(0.005), 1e-12);
  EXPECT_EQ(cell.seeds, 2);
  EXPECT_EQ(cell.validation, 0.9);
  EXPECT_EQ(cell.setting, (Setting{{"train.learning_rate", "1"}}));
  EXPECT_EQ(cell.best_job, "job-4");
  EXPECT_EQ(cell.cost.tokens, 40) << "the search has cost something too";
  EXPECT_FALSE(found.rows[0].comparison) << "there is nothing to compare the baseline with";
}

TEST(Answer, WithoutTestsTheBestSettingOfEachMethodAndBenchmarkIsShown) {
  const Answer found = answer(outcomes({{"lora", "a", "1", 0, 0.2},
                                        {"lora", "a", "2", 0, 0.4},
                                        {"full", "a", "1", 0, 0.3},
                                        {"lora", "b", "1", 0, 0.8},
                                        {"lora", "b", "2", 0, 0.1}}),
                              "");
  EXPECT_FALSE(found.tested);
  ASSERT_THAT(found.rows, SizeIs(2));
  EXPECT_EQ(found.rows[0].cells[0].setting.at("train.learning_rate"), "2");
  EXPECT_EQ(found.rows[0].cells[1].setting.at("train.learning_rate"), "1");
  EXPECT_EQ(found.rows[1].method, "full");
  EXPECT_FALSE(found.rows[1].cells[1].mean) << "full was not tried on b";
}

TEST(Answer, ASuiteIsAveragedOverItsTasksWhateverTheirMetrics) {
  const Answer found = answer(outcomes({{"lora", "bbh/x", "", 0, 0.2},
                                        {"lora", "bbh/x", "", 1, 0.4},
                                        {"lora", "bbh/y", "", 0, 0.6, false, kMatch},
                                        {"lora", "bbh/y", "", 1, 0.2, false, kMatch},
                                        {"none", "bbh/x", "", 0, 0.1},
                                        {"lora", "one", "", 0, 0.9}}),
                              "");
  EXPECT_THAT(found.rows.front().averages, ElementsAre(Field(&Average::suite, "bbh")));
  const Average& average = found.rows[0].averages.at(0);
  EXPECT_EQ(average.tasks, 2);
  EXPECT_DOUBLE_EQ(*average.mean, 0.35);
  EXPECT_NEAR(*average.sd, std::sqrt(0.005), 1e-12) << "of 0.4 and 0.3, the means by seed";
  EXPECT_FALSE(found.rows[1].averages.at(0).mean) << "a task is missing";
}

TEST(Answer, ALossAndAnAccuracyHaveNoAverage) {
  const Answer found = answer(
      outcomes({{"lora", "s/x", "", 0, 0.2}, {"lora", "s/y", "", 0, 0.6, false, kLoss}}), "");
  EXPECT_FALSE(found.rows[0].averages.at(0).mean);
}

TEST(Answer, MethodsAreComparedInPairsOfBenchmarkAndSeed) {
  std::vector<Given> all;
  for (int seed = 0; seed < 5; ++seed) {
    const double base = 0.1 * seed;
    for (const char* benchmark : {"a", "b"}) {
      all.push_back({"lora", benchmark, "", seed, base});
      // Better by another amount each time, but for one pair that is missing.
      const double gain = 0.01 * (seed + 1) + (*benchmark == 'a' ? 0 : 0.001);
      if (seed < 4 || *benchmark == 'a') all.push_back({"ours", benchmark, "", seed, base + gain});
    }
  }
  all.push_back({"none", "a", "", 0, 0.2});
  const Answer found = answer(outcomes(all), "lora");
  EXPECT_EQ(found.baseline, "lora");
  const Comparison& ours = *found.rows[1].comparison;
  EXPECT_EQ(ours.pairs, 9);
  EXPECT_EQ(ours.test.pairs, 9);
  EXPECT_DOUBLE_EQ(ours.test.p_value, 2.0 / 512) << "all nine are of one sign";
  EXPECT_NEAR(ours.mean_difference, (0.01 * (1 + 2 + 3 + 4) * 2 + 0.05 + 0.004) / 9, 1e-12);
  const Comparison& none = *found.rows[2].comparison;
  EXPECT_EQ(none.pairs, 5) << "one seed stands for all";
  EXPECT_EQ(none.test.pairs, 4) << "0.2 against 0.2 says nothing";
  EXPECT_EQ(answer(outcomes(all), "other").baseline, "lora") << "the first, where it is not there";
}

TEST(Answer, OfALossLessIsBetter) {
  const Answer found = answer(
      outcomes({{"lora", "a", "", 0, 2, false, kLoss}, {"ours", "a", "", 0, 1.5, false, kLoss}}),
      "");
  EXPECT_DOUBLE_EQ(found.rows[1].comparison->mean_difference, 0.5);
}

TEST(Answer, TheParetoFrontIsOfSettingsThatNoOtherIsBetterThanInBoth) {
  const auto given = outcomes({{"lora", "a", "1", 0, 0.9},
                               {"lora", "a", "1", 0, 0.1, false, kAccuracy, "b"},
                               {"lora", "a", "1", 0, 0.3, false, kAccuracy, "c"},
                               {"lora", "a", "2", 0, 0.8},
                               {"lora", "a", "2", 0, 0.1, false, kAccuracy, "b"},
                               {"ours", "a", "1", 0, 0.85},
                               {"ours", "a", "1", 0, 0.5, false, kAccuracy, "b"},
                               {"full", "a", "1", 0, 0.7}});
  const Answer found = answer(given, "");
  ASSERT_THAT(found.benchmarks, SizeIs(3));
  EXPECT_EQ(found.benchmarks[1], (Benchmark{"a", "b", ""}));
  ASSERT_THAT(found.pareto, SizeIs(3)) << "full was tested on its own benchmark alone";
  EXPECT_DOUBLE_EQ(found.pareto[0].inside, 0.9);
  EXPECT_DOUBLE_EQ(found.pareto[0].outside, 0.2);
  EXPECT_TRUE(found.pareto[0].on_front);
  EXPECT_FALSE(found.pareto[1].on_front);
  EXPECT_TRUE(found.pareto[2].on_front);
}

TEST(Answer, OfNothingIsEmpty) {
  EXPECT_THAT(answer({}, "").rows, SizeIs(0));
  EXPECT_EQ(answer({}, "lora").baseline, "");
}

}  // namespace
}  // namespace prefixmem::sweep
