// Ranks that need collective calls at different times: alone, and in a gang of three.
#include "worker/trainer/collective/rounds.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "tests/unit/trainer/test_gang.h"

namespace prefixmem::trainer {
namespace {

class RoundsTest : public ::testing::Test {
 protected:
  // Every call is one of the gang's, and must be for the same item on all ranks.
  Status call(int64_t item, bool wanted) {
    std::vector<double> items(gang_.size());
    items[gang_.rank()] = static_cast<double>(item);
    PM_TRY(gang_.all_reduce_sum(items));
    EXPECT_EQ(items, std::vector<double>(gang_.size(), static_cast<double>(item)));
    made_.push_back(item);
    if (wanted) got_.push_back(item);
    return item == failing_ ? data_loss("item 13 is damaged") : Status();
  }
  void get(int64_t item) {
    rounds_.want(item);
    ASSERT_TRUE(rounds_.wait(item).ok());
  }

  Collective& gang_ = *test_gang();
  int64_t failing_ = 13;
  std::vector<int64_t> made_, got_;  // of the rounds' thread; settled, the test's
  Rounds rounds_{gang_, [this](int64_t item, bool wanted) { return call(item, wanted); }};
};

TEST_F(RoundsTest, OneCallServesAllThatWantTheSame) {
  const std::vector<int64_t> items = {0, 1, 2, 3, 2, 1, 0};
  for (const int64_t item : items) get(item);
  ASSERT_TRUE(rounds_.settle().ok());
  EXPECT_EQ(got_, items);
  EXPECT_EQ(made_, items);
}

TEST_F(RoundsTest, ARankThatIsDoneTakesPartInWhatOthersWant) {
  std::vector<int64_t> mine(size_t{4} * gang_.rank());
  std::iota(mine.begin(), mine.end(), 20);
  for (const int64_t item : mine) get(item);
  ASSERT_TRUE(rounds_.settle().ok());
  EXPECT_EQ(got_, mine);
  EXPECT_EQ(made_.size(), 4 * (gang_.size() - 1)) << "as many as the rank with most";
  ASSERT_TRUE(gang_.barrier().ok()) << "the gang is everybody's again";
}

TEST_F(RoundsTest, EachGetsWhatItWantsInAnyOrderAndWithOneAhead) {
  std::mt19937 random(7 + gang_.rank());
  for (int phase = 0; phase < 20; ++phase) {
    got_.clear();
    std::vector<int64_t> mine(random() % 12);
    for (size_t i = 0; i < mine.size(); ++i) {
      do {
        mine[i] = 30 + random() % 5;
      } while (i > 0 && mine[i] == mine[i - 1]);
    }
    if (!mine.empty()) rounds_.want(mine[0]);
    for (size_t i = 0; i < mine.size(); ++i) {
      ASSERT_TRUE(rounds_.wait(mine[i]).ok());
      if (i + 1 < mine.size()) rounds_.want(mine[i + 1]);
    }
    ASSERT_TRUE(rounds_.settle().ok());
    EXPECT_EQ(got_, mine);
  }
}

TEST_F(RoundsTest, NobodyStarvesBesideARankThatAlwaysWantsSomething) {
  for (int64_t i = 0; i < 50; ++i) get(int64_t{100} * (gang_.rank() + 1) + i);
  ASSERT_TRUE(rounds_.settle().ok());
  EXPECT_EQ(made_.size(), 50 * gang_.size());
  // Each rank's are spread over the calls rather than behind those of the others.
  const int64_t last_of_first = 100 + 49;
  const auto done = std::find(made_.begin(), made_.end(), last_of_first) - made_.begin();
  EXPECT_GE(done + gang_.size(), static_cast<int64_t>(made_.size()));
}

TEST_F(RoundsTest, WhatIsWantedIsMadeBeforeTheyAreSettled) {
  rounds_.want(40 + gang_.rank());
  ASSERT_TRUE(rounds_.settle().ok());
  EXPECT_EQ(got_, std::vector<int64_t>{40 + gang_.rank()});
  EXPECT_EQ(made_.size(), gang_.size());
}

TEST_F(RoundsTest, AFailureIsEverybodysFromThenOn) {
  if (gang_.rank() == 0) rounds_.want(13);
  const Status failed = gang_.rank() == 0 ? rounds_.wait(13) : rounds_.settle();
  EXPECT_EQ(failed.message(), "item 13 is damaged");
  EXPECT_EQ(rounds_.settle().code(), Code::kDataLoss);
  rounds_.want(14);
  EXPECT_EQ(rounds_.wait(14).code(), Code::kDataLoss);
}

TEST_F(RoundsTest, ARankMayStillWantWhatOthersGiveWhileTheyAreInACall) {
  const auto gang = settled_before_calls(gang_, [this] { return rounds_.settle(); });
  if (gang->rank() == 0) {
    for (int64_t item = 0; item < 5; ++item) get(item);
  }
  torch::Tensor ones = torch::ones({3});
  ASSERT_TRUE(gang->all_reduce_sum(ones).ok());
  EXPECT_TRUE(ones.equal(torch::full({3}, static_cast<float>(gang->size()))));
  EXPECT_EQ(made_, (std::vector<int64_t>{0, 1, 2, 3, 4})) << "on every rank, before the sum";
}

}  // namespace
}  // namespace prefixmem::trainer
