// Order of the rows, and the cut into ranks and micro-batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "worker/trainer/data/partition.h"
#include "worker/trainer/data/random.h"
#include "worker/trainer/data/sampler.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(Random, IsAFixedFunction) {
  EXPECT_EQ(random_bits({1, 2, 3}), 9812528628958509896U);
  EXPECT_NE(random_bits({1, 3, 2}), 9812528628958509896U);
  EXPECT_THAT(permutation(8, 3, 1), ElementsAre(7, 2, 5, 0, 1, 4, 3, 6));
  EXPECT_EQ(text_key(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(text_key("a"), 0xaf63dc4c8601ec8cULL);
}

TEST(Random, PermutationsAreUniformEnough) {
  std::vector<int64_t> first(4, 0);
  for (uint64_t seed = 0; seed < 4000; ++seed) ++first[permutation(4, seed, 0)[0]];
  for (const int64_t count : first) EXPECT_NEAR(static_cast<double>(count), 1000, 150);
}

TEST(Sampler, EachEpochIsAPermutationWithAShortLastBatch) {
  Sampler sampler(10, 4, 7);
  ASSERT_EQ(sampler.steps_per_epoch(), 3);
  std::vector<std::vector<int64_t>> epochs(2);
  for (int64_t step = 0; step < 6; ++step) {
    const auto batch = sampler.batch(step);
    EXPECT_EQ(batch.size(), step % 3 == 2 ? 2U : 4U);
    auto& epoch = epochs[step / 3];
    epoch.insert(epoch.end(), batch.begin(), batch.end());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (auto& epoch : epochs) {
    EXPECT_EQ(std::set<int64_t>(epoch.begin(), epoch.end()).size(), 10U);
  }
}

TEST(Sampler, AStepNeedsNoHistory) {
  Sampler walked(10, 3, 7), jumped(10, 3, 7);
  for (int64_t step = 0; step < 9; ++step) walked.batch(step);
  EXPECT_EQ(walked.batch(9), jumped.batch(9));
}

TEST(Sampler, TotalSteps) {
  struct Case {
    double epochs;
    int64_t steps;
  };
  const Sampler sampler(10, 1, 0);
  for (const Case& c : {Case{1, 10}, {0.1, 1}, {0.25, 3}, {2.5, 25}, {0.3, 3}, {0.01, 1}}) {
    TrainSpec spec;
    spec.epochs = c.epochs;
    EXPECT_EQ(sampler.total_steps(spec), c.steps) << c.epochs;
  }
  TrainSpec spec;
  spec.max_steps = 42;
  EXPECT_EQ(sampler.total_steps(spec), 42);
}

TEST(Partition, BalancesTokensOverRanks) {
  EXPECT_THAT(split_over_ranks({5, 9, 4, 1}, 2), ElementsAre(ElementsAre(1, 3), ElementsAre(0, 2)));
  EXPECT_THAT(split_over_ranks({5}, 3), ElementsAre(ElementsAre(0), ElementsAre(), ElementsAre()));
}

TEST(Partition, MicroBatchesKeepTheLimitAndLongRowsGoAlone) {
  EXPECT_THAT(split_micro_batches({0, 1, 2, 3}, {12, 6, 5, 4}, 10),
              ElementsAre(ElementsAre(0), ElementsAre(1, 3), ElementsAre(2)));
}

std::vector<Example> examples_of(const std::vector<int64_t>& lengths) {
  std::vector<Example> examples;
  for (const int64_t length : lengths) {
    Example example;
    example.ids.assign(length, 1);
    example.prompt_tokens = 2;
    examples.push_back(example);
  }
  return examples;
}

TEST(Plan, RanksTogetherHoldEachRowOnceWhateverTheCut) {
  const auto examples = examples_of({5, 9, 4, 7, 30, 3, 6});
  const std::vector<int64_t> rows = {6, 1, 4, 0, 3};
  for (int ranks = 1; ranks <= 6; ++ranks) {
    for (const int64_t limit : {1, 8, 20, 1000}) {
      std::vector<int64_t> seen;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto plan = plan_step(rows, examples, rank, ranks, limit);
        EXPECT_EQ(plan.tokens, 5 + 8 + 29 + 4 + 6);
        EXPECT_EQ(plan.label_tokens, 4 + 7 + 28 + 3 + 5);
        for (const auto& batch : plan.micro_batches) {
          EXPECT_FALSE(batch.empty());
          seen.insert(seen.end(), batch.begin(), batch.end());
        }
      }
      EXPECT_THAT(seen, UnorderedElementsAre(6, 1, 4, 0, 3));
    }
  }
}

TEST(Plan, PairsStayTogetherAndCountAsOneRow) {
  // Pairs of (5, 6), (9, 4), (3, 3) and (7, 20) ids.
  const auto examples = examples_of({5, 6, 9, 4, 3, 3, 7, 20});
  const std::vector<int64_t> rows = {3, 0, 2};
  for (int ranks = 1; ranks <= 4; ++ranks) {
    for (const int64_t limit : {1, 12, 15, 1000}) {
      std::vector<int64_t> pairs;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto plan = plan_step(rows, examples, rank, ranks, limit, 2);
        EXPECT_EQ(plan.tokens, 6 + 19 + 4 + 5 + 2 + 2);
        EXPECT_EQ(plan.label_tokens, 5 + 18 + 3 + 4 + 1 + 1);
        for (const auto& batch : plan.micro_batches) {
          ASSERT_EQ(batch.size() % 2, 0U);
          for (size_t i = 0; i < batch.size(); i += 2) {
            EXPECT_EQ(batch[i] % 2, 0);
            EXPECT_EQ(batch[i + 1], batch[i] + 1);
            pairs.push_back(batch[i] / 2);
          }
        }
      }
      EXPECT_THAT(pairs, UnorderedElementsAre(0, 2, 3));
    }
  }
  EXPECT_THAT(plan_step(rows, examples, 0, 1, 13, 2).micro_batches,
              ElementsAre(ElementsAre(6, 7), ElementsAre(0, 1, 4, 5)));
}

}  // namespace
}  // namespace prefixmem::trainer
