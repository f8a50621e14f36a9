// Order of the rows, and the cut into ranks and micro-batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>

#include "common/random.h"
#include "tests/unit/trainer/random_rows.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/data/partition.h"
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

using Rows = std::vector<std::vector<int32_t>>;

// Rows of `lengths` that begin each with a token of its own.
Rows rows_of(const std::vector<int64_t>& lengths) {
  Rows rows;
  for (size_t i = 0; i < lengths.size(); ++i) {
    rows.emplace_back(lengths[i], 1).front() = 100 + static_cast<int32_t>(i);
  }
  return rows;
}

// Rows that share `shared` tokens of `prompt`, with `own` ones each.
void add_family(Rows& rows, int32_t prompt, int64_t count, int64_t shared, int64_t own) {
  for (int64_t i = 0; i < count; ++i) {
    auto& row = rows.emplace_back(shared, prompt);
    row.push_back(1000 + static_cast<int32_t>(rows.size()));
    row.resize(shared + own, 1);
  }
}

SharedRows shared(const Rows& rows, int64_t min_shared = kMinShared) {
  return {CommonPrefixes({rows.begin(), rows.end()}, min_shared)};
}

TEST(Partition, BalancesTokensOverRanks) {
  const Rows rows = rows_of({5, 9, 4, 1}), one = rows_of({5});
  EXPECT_THAT(split_over_ranks(shared(rows), 2), ElementsAre(ElementsAre(1, 3), ElementsAre(0, 2)));
  EXPECT_THAT(split_over_ranks(shared(one), 3),
              ElementsAre(ElementsAre(0), ElementsAre(), ElementsAre()));
}

TEST(Partition, MicroBatchesKeepTheLimitAndLongRowsGoAlone) {
  const Rows rows = rows_of({12, 6, 5, 4});
  EXPECT_THAT(split_micro_batches(shared(rows), {0, 1, 2, 3}, 10),
              ElementsAre(ElementsAre(0), ElementsAre(1, 3), ElementsAre(2)));
}

TEST(Partition, RowsOfOnePromptStayTogether) {
  Rows rows;
  add_family(rows, 1, 8, 300, 48);
  add_family(rows, 2, 8, 300, 48);
  const SharedRows costs = shared(rows);
  for (const auto& members : split_over_ranks(costs, 2)) {
    EXPECT_EQ(costs.tokens(members), 300 + 8 * 48);
  }
  std::vector<int64_t> mixed = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
  const auto batches = split_micro_batches(costs, mixed, 700);
  ASSERT_EQ(batches.size(), 2U);
  for (const auto& batch : batches) EXPECT_EQ(costs.tokens(batch), 300 + 8 * 48);
}

TEST(Partition, OnePromptOfAllRowsIsComputedOnEachRankAndTheRestSpread) {
  Rows rows;
  add_family(rows, 1, 8, 30, 10);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].resize(rows[i].size() + 20 * i, 1);
  const SharedRows costs = shared(rows);
  std::vector<int64_t> loads;
  for (const auto& members : split_over_ranks(costs, 4)) {
    loads.push_back(costs.tokens(members));
  }
  // 8 · 10 + 20 · 28 of their own: 160 a rank and the prompt.
  EXPECT_THAT(loads, ElementsAre(190, 190, 190, 190));
}

TEST(Partition, HoldsEachOfRandomRowsOnceWithinItsLimit) {
  std::mt19937 random(4);  // NOLINT(bugprone-random-generator-seed): equal on every run
  for (int round = 0; round < 300; ++round) {
    const Rows rows = random_rows(
        random,
        {.most_rows = 14, .least_own = 1, .most_own = 12, .vocabulary = 4, .taking = 2.0 / 3});
    const SharedRows costs = shared(rows, 1 + round % 4);
    const int ranks = 1 + static_cast<int>(random() % 4);
    const auto limit = static_cast<int64_t>(1 + random() % 40);
    std::vector<int64_t> seen;
    for (const auto& members : split_over_ranks(costs, ranks)) {
      std::vector<int64_t> batched;
      for (const auto& batch : split_micro_batches(costs, members, limit)) {
        ASSERT_FALSE(batch.empty());
        if (batch.size() > 1) {
          EXPECT_LE(costs.tokens(batch), limit);
        }
        batched.insert(batched.end(), batch.begin(), batch.end());
      }
      EXPECT_THAT(batched, ::testing::UnorderedElementsAreArray(members));
      seen.insert(seen.end(), members.begin(), members.end());
    }
    std::sort(seen.begin(), seen.end());
    std::vector<int64_t> all(rows.size());
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
}

// Examples of `lengths` ids that share nothing.
std::vector<Example> examples_of(const std::vector<int64_t>& lengths) {
  std::vector<Example> examples;
  for (auto& ids : rows_of(lengths)) {
    Example& example = examples.emplace_back();
    example.ids = std::move(ids);
    example.prompt_tokens = 2;
  }
  return examples;
}

// Of all ranks.
int64_t computed_tokens(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                        PlanOptions options) {
  int64_t tokens = 0;
  for (options.rank = 0; options.rank < options.ranks; ++options.rank) {
    for (const auto& batch : plan_step(rows, examples, options).micro_batches) {
      tokens += pack_rows(batch, examples, options.min_shared).token_count();
    }
  }
  return tokens;
}

TEST(Plan, RanksTogetherHoldEachRowOnceWhateverTheCut) {
  const auto examples = examples_of({5, 9, 4, 7, 30, 3, 6});
  const std::vector<int64_t> rows = {6, 1, 4, 0, 3};
  for (int ranks = 1; ranks <= 6; ++ranks) {
    for (const int64_t limit : {1, 8, 20, 1000}) {
      std::vector<int64_t> seen;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto plan = plan_step(rows, examples, {rank, ranks, limit});
        EXPECT_EQ(plan.tokens, 5 + 8 + 29 + 4 + 6);
        EXPECT_EQ(computed_tokens(rows, examples, {rank, ranks, limit}), plan.tokens);
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

std::multiset<std::vector<int64_t>> micro_batches_of_all(const std::vector<int64_t>& rows,
                                                         const std::vector<Example>& examples,
                                                         PlanOptions options) {
  std::multiset<std::vector<int64_t>> all;
  for (options.rank = 0; options.rank < options.ranks; ++options.rank) {
    const auto plan = plan_step(rows, examples, options);
    all.insert(plan.micro_batches.begin(), plan.micro_batches.end());
    EXPECT_LE(plan.micro_batches.size(), plan.rounds);
  }
  return all;
}

TEST(Plan, FixedMicroBatchesAreThoseOfAnyNumberOfRanks) {
  const auto examples = examples_of({5, 9, 4, 7, 30, 3, 6, 12, 12, 8});
  const std::vector<int64_t> rows = {6, 1, 4, 0, 3, 8, 9};
  for (const int64_t limit : {1, 8, 20, 1000}) {
    PlanOptions options{0, 1, limit};
    options.fixed = true;
    const auto alone = micro_batches_of_all(rows, examples, options);
    EXPECT_GE(alone.size(), 4u) << "work for as many ranks";
    for (options.ranks = 2; options.ranks <= 9; ++options.ranks) {
      EXPECT_EQ(micro_batches_of_all(rows, examples, options), alone);
    }
  }
}

TEST(Plan, FixedMicroBatchesKeepTogetherWhatSharesMuch) {
  auto examples = examples_of({40, 40, 40, 40, 40, 40});
  for (Example& example : examples) std::fill_n(example.ids.begin(), 32, 7);
  for (size_t i = 0; i < examples.size(); ++i) examples[i].ids[32] = static_cast<int32_t>(i);
  PlanOptions options{0, 1, 1000};
  options.fixed = true;
  EXPECT_EQ(plan_step({0, 1, 2, 3, 4, 5}, examples, options).micro_batches.size(), 2u);
}

TEST(Plan, PairsStayTogetherAndCountAsOneRow) {
  // Pairs of (5, 6), (9, 4), (3, 3) and (7, 20) ids.
  const auto examples = examples_of({5, 6, 9, 4, 3, 3, 7, 20});
  const std::vector<int64_t> rows = {3, 0, 2};
  for (int ranks = 1; ranks <= 4; ++ranks) {
    for (const int64_t limit : {1, 12, 15, 1000}) {
      std::vector<int64_t> pairs;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto plan = plan_step(rows, examples, {rank, ranks, limit, 2});
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
  EXPECT_THAT(plan_step(rows, examples, {0, 1, 13, 2}).micro_batches,
              ElementsAre(ElementsAre(6, 7), ElementsAre(0, 1, 4, 5)));
}

TEST(Plan, ComputesOnceWhatRowsShare) {
  auto examples = examples_of({20, 20, 20, 20});
  for (Example& example : examples) std::fill_n(example.ids.begin(), 12, 7);
  for (size_t i = 0; i < examples.size(); ++i) examples[i].ids[12] = static_cast<int32_t>(i);
  const std::vector<int64_t> rows = {0, 1, 2, 3};
  const auto together = plan_step(rows, examples, {0, 1, 1000});
  EXPECT_EQ(together.tokens, 4 * 19);
  EXPECT_EQ(computed_tokens(rows, examples, {0, 1, 1000}), 12 + 4 * 7);
  EXPECT_EQ(computed_tokens(rows, examples, {1, 2, 1000}), 2 * (12 + 2 * 7));
  EXPECT_EQ(computed_tokens(rows, examples, {0, 1, 30}), 2 * (12 + 2 * 7));
  PlanOptions apart{0, 1, 1000};
  apart.min_shared = kShareNothing;
  EXPECT_EQ(computed_tokens(rows, examples, apart), 4 * 19);
}

}  // namespace
}  // namespace prefixmem::trainer
