#include "worker/trainer/eval/label_trie.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace prefixmem::trainer {
namespace {

using Labels = std::vector<std::vector<int32_t>>;

// The tokens read before a source, behind the prompt.
std::vector<int32_t> context_of(const LabelTrie& trie, const LabelTrie::Source& source) {
  std::vector<int32_t> tokens;
  if (source.node < 0) return tokens;
  const auto& node = trie.nodes[source.node];
  if (node.parent >= 0) {
    const auto last = static_cast<int64_t>(trie.nodes[node.parent].tokens.size()) - 1;
    tokens = context_of(trie, {node.parent, last});
  }
  tokens.insert(tokens.end(), node.tokens.begin(), node.tokens.begin() + source.offset + 1);
  return tokens;
}

void expect_spells(const LabelTrie& trie, const Labels& labels) {
  ASSERT_EQ(trie.paths.size(), labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    ASSERT_EQ(trie.paths[i].size(), labels[i].size());
    for (size_t j = 0; j < labels[i].size(); ++j) {
      const auto& edge = trie.edges[trie.paths[i][j]];
      EXPECT_EQ(edge.token, labels[i][j]);
      EXPECT_EQ(context_of(trie, trie.sources[edge.source]),
                std::vector<int32_t>(labels[i].begin(), labels[i].begin() + j));
    }
  }
}

TEST(LabelTrie, SharesWhatLabelsHaveInCommon) {
  const Labels labels = {{5, 6, 7, 2}, {5, 6, 8, 2}, {9, 2}, {5, 6, 2}};
  const LabelTrie trie = build_label_trie(labels);
  expect_spells(trie, labels);
  // Read once each: 5 6 | 7 | 8 | 9.
  ASSERT_EQ(trie.nodes.size(), 4U);
  EXPECT_THAT(trie.nodes[0].tokens, ::testing::ElementsAre(5, 6));
  EXPECT_EQ(trie.sources.size(), 6U);
}

TEST(LabelTrie, ALabelOfEosAloneReadsNothing) {
  const LabelTrie trie = build_label_trie({{2}, {4, 2}});
  EXPECT_EQ(trie.nodes.size(), 1U);
  EXPECT_EQ(trie.sources.size(), 2U);
}

TEST(LabelTrie, SpellsRandomLabelsWithNoTokenTwice) {
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): equal on every run
  for (int round = 0; round < 200; ++round) {
    Labels labels(1 + random() % 12);
    for (auto& ids : labels) {
      ids.resize(1 + random() % 6);
      for (auto& id : ids) id = static_cast<int32_t>(random() % 3);
    }
    const LabelTrie trie = build_label_trie(labels);
    expect_spells(trie, labels);
    std::map<std::vector<int32_t>, int> contexts;
    for (const auto& source : trie.sources) ++contexts[context_of(trie, source)];
    for (const auto& [context, count] : contexts) EXPECT_EQ(count, 1);
  }
}

}  // namespace
}  // namespace prefixmem::trainer
