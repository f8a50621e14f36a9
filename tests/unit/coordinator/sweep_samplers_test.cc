// What the samplers choose: inside the space, the same for the same seed and history.
#include "coordinator/sweep/samplers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

double number(const Setting& setting, const std::string& path) {
  return std::stod(setting.at(path));
}

void expect_inside(const Setting& setting) {
  const bool lora = setting.at("method") == "lora";
  EXPECT_EQ(setting.contains("method.r"), lora);
  EXPECT_EQ(setting.contains("method.alpha"), lora);
  EXPECT_EQ(setting.contains("train.max_steps"), setting.at("method") == "none");
  EXPECT_GE(number(setting, "train.learning_rate"), 1e-5);
  EXPECT_LE(number(setting, "train.learning_rate"), 1e-1);
  EXPECT_GE(number(setting, "train.weight_decay"), 0);
  EXPECT_LE(number(setting, "train.weight_decay"), 0.5);
  EXPECT_LE(std::stoll(setting.at("train.warmup_steps")), 20);
  EXPECT_GE(std::stoll(setting.at("train.warmup_steps")), 0);
  if (!lora) return;
  EXPECT_GE(std::stoll(setting.at("method.r")), 1);
  EXPECT_LE(std::stoll(setting.at("method.r")), 64);
}

// A search that has told its trials what they are worth.
History searched(const Plan& plan, int trials, double (*value)(const Setting&)) {
  History history;
  for (int i = 1; i <= trials; ++i) {
    Trial next = trial(i, TrialState::kFinished);
    next.setting = *next_setting(plan, history, i);
    next.reports = {{1, value(next.setting)}};
    history.trials.push_back(std::move(next));
  }
  return history;
}

double distance(const Setting& setting) {
  return std::abs(std::log10(number(setting, "train.learning_rate")) + 3) +
         (setting.at("method") == "lora" ? 0 : 1);
}

TEST(Samplers, StayInsideTheSpaceAndGiveAKeyOnlyWhereItsConditionHolds) {
  for (const char* search : {"random", "tpe"}) {
    for (int seed = 0; seed < 5; ++seed) {
      const Plan searching = plan("{search: " + std::string(search) +
                                  ", seed: " + std::to_string(seed) + ", " + kMixedSpace + "}");
      const History history = searched(searching, 60, distance);
      for (const Trial& one : history.trials) {
        expect_inside(one.setting);
        EXPECT_TRUE(make_trial(search_spec("{" + kMixedSpace + "}"), one.setting, one.number).ok());
      }
    }
  }
}

TEST(Samplers, AreAFunctionOfSeedNumberAndHistory) {
  for (const char* search : {"random", "tpe"}) {
    const std::string text = "{search: " + std::string(search) + ", " + kMixedSpace;
    const Plan one = plan(text + ", seed: 1}");
    const Plan other = plan(text + ", seed: 2}");
    const History history = searched(one, 30, distance);
    EXPECT_EQ(next_setting(one, history, 31), next_setting(one, history, 31));
    EXPECT_NE(next_setting(one, history, 31), next_setting(other, history, 31));
    EXPECT_NE(next_setting(one, history, 31), next_setting(one, history, 32));
    EXPECT_EQ(searched(one, 30, distance).trials.back().setting, history.trials.back().setting);
  }
}

TEST(Samplers, RandomDrawsAreSpreadAsTheDomainSays) {
  const Plan random = plan("{search: random, " + kMixedSpace + "}");
  int low_rates = 0, lora = 0, low_warmup = 0;
  constexpr int kDraws = 4000;
  for (int i = 1; i <= kDraws; ++i) {
    const Setting setting = *next_setting(random, {}, i);
    low_rates += number(setting, "train.learning_rate") < 1e-3 ? 1 : 0;
    lora += setting.at("method") == "lora" ? 1 : 0;
    low_warmup += number(setting, "train.warmup_steps") < 10 ? 1 : 0;
  }
  EXPECT_NEAR(low_rates, kDraws / 2.0, 150);
  EXPECT_NEAR(lora, kDraws / 3.0, 150);
  EXPECT_NEAR(low_warmup, kDraws * 10 / 21.0, 150);
}

TEST(Samplers, TpeGoesWhereTrialsWereGood) {
  const Plan tpe = plan("{search: tpe, budget: {trials: 200}, " + kMixedSpace + "}");
  const History history = searched(tpe, 80, distance);
  double early = 0, late = 0;
  for (int i = 0; i < 10; ++i) {
    early += distance(history.trials[i].setting);
    late += distance(history.trials[70 + i].setting);
  }
  EXPECT_LT(late, early / 2);
}

TEST(Samplers, TpePutsFinishedTrialsBeforeStoppedOnesAndKeepsApartFromOpenOnes) {
  const std::string space =
      "space: {train.weight_decay: {type: uniform, low: 0, high: 1}}, goal: {metric: loss, mode: "
      "min}";
  const Plan tpe = plan("{search: {type: tpe, startup_trials: 1}, " + space + "}");
  History history;
  for (int i = 1; i <= 40; ++i) {
    const bool good = i % 10 == 0;
    Trial one =
        trial(i, good ? TrialState::kFinished : TrialState::kStopped, {{1, good ? 1. : 0.}});
    one.setting["train.weight_decay"] = good ? "0.8" : "0.2";
    history.trials.push_back(one);
  }
  int near = 0;
  for (int i = 41; i <= 60; ++i) {
    near += number(*next_setting(tpe, history, i), "train.weight_decay") > 0.6 ? 1 : 0;
  }
  EXPECT_GT(near, 15) << "stopped trials have smaller losses, and must not count as better";
  for (int i = 41; i <= 80; ++i) {
    Trial one = trial(i, TrialState::kOpen);
    one.setting["train.weight_decay"] = "0.8";
    history.trials.push_back(one);
  }
  int apart = 0;
  for (int i = 81; i <= 100; ++i) {
    const double at = number(*next_setting(tpe, history, i), "train.weight_decay");
    apart += std::abs(at - 0.8) > 0.01 ? 1 : 0;
  }
  EXPECT_GT(apart, 15);
}

TEST(Samplers, AGridIsEveryCombinationOnce) {
  const Plan grid = plan(
      "{search: grid, space: {method: [lora, prefix_memory],"
      " method.r: {type: int, low: 4, high: 6, when: {method: [lora]}}, train.seed: [1, 2]}}");
  std::set<Setting> settings;
  for (int64_t i = 0; i < 8; ++i) settings.insert(grid_setting(grid, i).value());
  EXPECT_EQ(settings.size(), 8u);
  EXPECT_FALSE(grid_setting(grid, 8));
  EXPECT_EQ(*grid_setting(grid, 0),
            (Setting{{"method", "lora"}, {"method.r", "4"}, {"train.seed", "1"}}));
  EXPECT_EQ(*grid_setting(grid, 7), (Setting{{"method", "prefix_memory"}, {"train.seed", "2"}}));
}

}  // namespace
}  // namespace prefixmem::sweep
