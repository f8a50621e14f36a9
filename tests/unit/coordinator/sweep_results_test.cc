#include "coordinator/sweep/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace prefixmem::sweep {
namespace {

const GoalSpec kAccuracy{.metric = "accuracy", .mode = GoalSpec::Mode::kMax};
const GoalSpec kLoss{.metric = "loss", .mode = GoalSpec::Mode::kMin};

Outcome outcome(const std::string& id, const std::string& rate, const std::string& seed,
                std::optional<double> score, TrialState state = TrialState::kFinished) {
  return {.job_id = id,
          .goal = kAccuracy,
          .setting = {{"train.learning_rate", rate}, {"train.seed", seed}},
          .state = state,
          .score = score,
          .cost = {100, 10, 20}};
}

TEST(Results, MeanAndDeviationAreOfFinishedTrialsThatDifferInSeedsOnly) {
  const auto groups = group_by_setting(
      {outcome("a", "1e-3", "1", 0.4), outcome("b", "1e-2", "1", 0.5),
       outcome("c", "1e-2", "2", 0.7), outcome("d", "1e-2", "3", 0.9, TrialState::kStopped),
       outcome("e", "1e-1", "1", std::nullopt, TrialState::kFailed)});
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].setting, (Setting{{"train.learning_rate", "1e-2"}}));
  EXPECT_DOUBLE_EQ(*groups[0].mean, 0.6);
  EXPECT_NEAR(*groups[0].sd, std::sqrt(0.02), 1e-12);
  EXPECT_EQ(groups[0].best_job, "c");
  EXPECT_EQ(groups[0].cost.tokens, 300) << "stopped trials have cost something too";
  EXPECT_EQ(groups[1].setting.at("train.learning_rate"), "1e-3");
  EXPECT_FALSE(groups[1].sd);
  EXPECT_FALSE(groups[2].mean);
  EXPECT_EQ(total(groups).device_seconds, 100);
}

TEST(Results, OfALossTheLeastIsBest) {
  std::vector<Outcome> losses = {outcome("a", "1", "1", 2), outcome("b", "2", "1", 1),
                                 outcome("c", "2", "2", std::nan(""))};
  for (Outcome& one : losses) one.goal = kLoss;
  const auto groups = group_by_setting(losses);
  EXPECT_EQ(groups[0].best_job, "a") << "a mean that is no number is worst";
  EXPECT_EQ(groups[1].best_job, "b");
}

}  // namespace
}  // namespace prefixmem::sweep
