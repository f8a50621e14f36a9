// The tree of what rows begin with in common, and its cost as rows come together.
#include "worker/trainer/data/token_trie.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>

#include "tests/unit/trainer/random_rows.h"
#include "worker/trainer/data/shared_rows.h"

namespace prefixmem::trainer {
namespace {

using Ids = std::vector<int32_t>;
using Rows = std::vector<Ids>;

CommonPrefixes prefixes(const Rows& rows, int64_t min_shared) {
  return {std::vector<TokenSpan>(rows.begin(), rows.end()), min_shared};
}

int64_t tokens(const TokenTrie& trie) {
  int64_t sum = 0;
  for (const auto& node : trie.nodes) sum += node.end - node.begin;
  return sum;
}

int64_t tokens(const Rows& rows) {
  return std::accumulate(rows.begin(), rows.end(), int64_t{0}, [](int64_t sum, const Ids& row) {
    return sum + static_cast<int64_t>(row.size());
  });
}

// Tokens that rows need at the least, where a beginning may be shared from min_shared on: counted
// one by one, a token shared if a row before has min_shared tokens and all up to it in common.
int64_t fewest_tokens(const Rows& rows, int64_t min_shared) {
  int64_t sum = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    size_t most = 0;
    for (size_t j = 0; j < i; ++j) {
      size_t common = 0;
      while (common < rows[i].size() && common < rows[j].size() &&
             rows[i][common] == rows[j][common]) {
        ++common;
      }
      if (static_cast<int64_t>(common) >= min_shared) most = std::max(most, common);
    }
    sum += static_cast<int64_t>(rows[i].size() - most);
  }
  return sum;
}

// Each row is what its path holds; a node's ancestors hold all before it; below a node stands a
// run of nodes.
void expect_holds(const TokenTrie& trie, const CommonPrefixes& sequences, const Rows& rows) {
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t i = 0; i < rows[r].size(); ++i) {
      const auto row = static_cast<int64_t>(r), index = static_cast<int64_t>(i);
      const auto [node, offset] = trie.find(row, index);
      const auto& run = trie.nodes[node];
      ASSERT_LT(run.begin + offset, run.end);
      ASSERT_EQ(run.begin + offset, index);
      EXPECT_EQ(sequences.sequence(run.sequence)[index], rows[r][i]);
    }
  }
  for (size_t n = 0; n < trie.nodes.size(); ++n) {
    const auto& node = trie.nodes[n];
    ASSERT_LT(node.begin, node.end);
    ASSERT_LT(node.parent, static_cast<int32_t>(n));
    EXPECT_EQ(node.begin, node.parent < 0 ? 0 : trie.nodes[node.parent].end);
    for (size_t k = node.parent + 1; node.parent >= 0 && k < n; ++k) {
      EXPECT_GE(trie.nodes[k].parent, node.parent);
    }
  }
}

// Where asked to, nodes end with every sequence, of which none is then longer than its leaf's path.
TEST(TokenTrie, EndsNodesWithSequencesWhereAskedTo) {
  const Rows given = {{1, 2, 3, 4}, {1, 2}, {1, 2, 3}, {1, 2}, {1, 2, 3, 5}, {7}};
  EXPECT_EQ(build_token_trie(prefixes(given, 1)).nodes.size(), 4U);
  EXPECT_EQ(build_token_trie(prefixes(given, 1), true).nodes.size(), 5U);
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const Rows rows = random_rows(random, {12, 0, 6, 3, 0.6});
    const auto min_shared = static_cast<int64_t>(1 + random() % 4);
    const CommonPrefixes sequences = prefixes(rows, min_shared);
    const TokenTrie trie = build_token_trie(sequences, true);
    expect_holds(trie, sequences, rows);
    for (size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].empty()) continue;
      EXPECT_EQ(trie.nodes[trie.leaves[r]].end, static_cast<int64_t>(rows[r].size()));
    }
    EXPECT_EQ(tokens(trie), tokens(build_token_trie(sequences))) << "no token more";
  }
}

TEST(TokenTrie, HasANodeForEachSharedRun) {
  const Rows rows = {{1, 2, 3, 4}, {1, 2, 5}, {7}, {1, 2, 3, 6}};
  const auto sequences = prefixes(rows, 1);
  const TokenTrie trie = build_token_trie(sequences);
  expect_holds(trie, sequences, rows);
  // 1 2 | 3 | 4 | 6 | 5 | 7
  ASSERT_EQ(trie.nodes.size(), 6U);
  EXPECT_EQ(tokens(trie), 7);
}

TEST(TokenTrie, BeginningsBelowTheMinimumAreRepeated) {
  const Rows rows = {{1, 2, 3, 4}, {1, 2, 5}, {1, 2, 3, 6}};
  EXPECT_EQ(tokens(build_token_trie(prefixes(rows, 3))), 3 + 1 + 1 + 3);
  EXPECT_EQ(tokens(build_token_trie(prefixes(rows, 4))), 4 + 3 + 4);
  EXPECT_EQ(tokens(build_token_trie(prefixes(rows, kShareNothing))), 4 + 3 + 4);
}

TEST(TokenTrie, EqualRowsAndBeginningsOfRowsCostNothing) {
  const Rows rows = {{1, 2, 3}, {1, 2}, {1, 2, 3}, {}, {1, 2, 3, 4}};
  const auto sequences = prefixes(rows, 1);
  const TokenTrie trie = build_token_trie(sequences);
  expect_holds(trie, sequences, rows);
  ASSERT_EQ(trie.nodes.size(), 1U);
  EXPECT_EQ(trie.leaves, (std::vector<int32_t>{0, 0, 0, -1, 0}));
  EXPECT_EQ(build_token_trie(prefixes(rows, kShareNothing)).nodes.size(), 4U);
}

constexpr RandomRowsOptions kSmall{
    .most_rows = 9, .least_own = 0, .most_own = 6, .vocabulary = 3, .taking = 0.5};

TEST(TokenTrie, HoldsRandomRowsInAsFewTokensAsThereCanBe) {
  std::mt19937 random(2);  // NOLINT(bugprone-random-generator-seed): equal on every run
  for (int round = 0; round < 400; ++round) {
    const Rows rows = random_rows(random, kSmall);
    for (const int64_t min_shared : {int64_t{1}, int64_t{2}, int64_t{5}, kShareNothing}) {
      const auto sequences = prefixes(rows, min_shared);
      const TokenTrie trie = build_token_trie(sequences);
      expect_holds(trie, sequences, rows);
      EXPECT_EQ(tokens(trie), fewest_tokens(rows, min_shared));
      if (min_shared == kShareNothing) {
        EXPECT_EQ(tokens(trie), tokens(rows));
      }
    }
  }
}

// In any order and at any point, for rows of one and of two sequences.
TEST(RowGroup, CountsWhatTheTreeHolds) {
  std::mt19937 random(3);  // NOLINT(bugprone-random-generator-seed): equal on every run
  for (int round = 0; round < 200; ++round) {
    Rows rows = random_rows(random, kSmall);
    const int64_t per_row = 1 + round % 2, min_shared = 1 + round % 3;
    if (rows.size() % 2 == 1) rows.push_back(rows[0]);
    const SharedRows shared{prefixes(rows, min_shared), per_row, 4};
    std::vector<int64_t> order(shared.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    RowGroup group(shared);
    Rows so_far;
    for (const int64_t row : order) {
      const int64_t before = group.tokens(), cost = group.cost(row);
      group.add(row);
      EXPECT_EQ(group.tokens(), before + cost);
      const Rows own(rows.begin() + row * per_row, rows.begin() + (row + 1) * per_row);
      so_far.insert(so_far.end(), own.begin(), own.end());
      const auto rows_added = static_cast<int64_t>(so_far.size()) / per_row;
      EXPECT_EQ(group.tokens(),
                tokens(build_token_trie(prefixes(so_far, min_shared))) + 4 * rows_added);
      EXPECT_EQ(shared.tokens(row), tokens(build_token_trie(prefixes(own, min_shared))) + 4);
    }
  }
}

}  // namespace
}  // namespace prefixmem::trainer
