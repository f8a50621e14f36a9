#include "worker/trainer/eval/label_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <random>
#include <set>

namespace prefixmem::trainer {
namespace {

using Ids = std::vector<int32_t>;
using Rows = std::vector<Ids>;

// The tokens read up to a token of the stream, itself included.
Ids path_to(const RaggedBatch& batch, int64_t token) {
  int32_t s = 0;
  while (token >= batch.segments[s].begin + batch.segments[s].length) ++s;
  Ids path;
  for (int64_t end = token; s >= 0; s = batch.segments[s].parent) {
    const Segment& segment = batch.segments[s];
    if (!path.empty()) end = segment.begin + segment.length - 1;
    for (int64_t t = end; t >= segment.begin; --t) {
      path.insert(path.begin(), static_cast<int32_t>(batch.tokens[t].item<int64_t>()));
    }
  }
  return path;
}

LabelBatch pack(const Rows& prompts, const Rows& labels) {
  return pack_labels({prompts.begin(), prompts.end()}, labels);
}

// Every label behind every prompt is spelt by its path, and nothing is computed or scored twice.
void expect_spells(const LabelBatch& packed, const Rows& prompts, const Rows& labels) {
  ASSERT_EQ(packed.paths.size(), prompts.size() * labels.size());
  for (size_t i = 0; i < packed.paths.size(); ++i) {
    const Ids& label = labels[i % labels.size()];
    Ids read = prompts[i / labels.size()];
    ASSERT_EQ(packed.paths[i].size(), label.size());
    for (size_t j = 0; j < label.size(); ++j) {
      const auto& edge = packed.edges[packed.paths[i][j]];
      EXPECT_EQ(edge.token, label[j]);
      EXPECT_EQ(path_to(packed.batch, packed.batch.label_sources[edge.source].item<int64_t>()),
                read);
      read.push_back(label[j]);
    }
  }
  std::set<Ids> paths;
  for (int64_t t = 0; t < packed.batch.token_count(); ++t) paths.insert(path_to(packed.batch, t));
  EXPECT_EQ(paths.size(), static_cast<size_t>(packed.batch.token_count()));
  std::set<std::pair<int64_t, int32_t>> edges;
  for (const auto& edge : packed.edges) edges.insert({edge.source, edge.token});
  EXPECT_EQ(edges.size(), packed.edges.size());
  EXPECT_EQ(std::get<0>(at::_unique(packed.batch.label_sources)).numel(),
            packed.batch.label_sources.numel());
}

TEST(LabelBatch, ReadsOnceWhatLabelsHaveInCommon) {
  const Rows prompts = {{1, 4}}, labels = {{5, 6, 7, 2}, {5, 6, 8, 2}, {9, 2}, {5, 6, 2}};
  const LabelBatch packed = pack(prompts, labels);
  expect_spells(packed, prompts, labels);
  // 1 4 | 5 6 | 7 | 8 | 9
  EXPECT_EQ(packed.batch.segments.size(), 5U);
  EXPECT_EQ(packed.batch.label_sources.numel(), 6);
  EXPECT_EQ(label_tree_tokens(labels), 5);
}

TEST(LabelBatch, PromptsShareTheirBeginningAndEqualOnesEverything) {
  const Rows prompts = {{1, 4, 6}, {1, 4, 7}, {1, 4, 6}}, labels = {{5, 2}, {9, 2}};
  const LabelBatch packed = pack(prompts, labels);
  expect_spells(packed, prompts, labels);
  EXPECT_EQ(packed.batch.token_count(), 2 + 2 * (1 + 2));
  EXPECT_EQ(packed.paths[0], packed.paths[4]);
}

TEST(LabelBatch, ALabelOfEosAloneReadsNothing) {
  const Rows prompts = {{3}}, labels = {{2}};
  const LabelBatch packed = pack(prompts, labels);
  expect_spells(packed, prompts, labels);
  EXPECT_EQ(packed.batch.token_count(), 1);
  EXPECT_EQ(label_tree_tokens(labels), 0);
  EXPECT_EQ(label_tree_tokens({{2}, {4, 2}}), 1);
}

TEST(LabelBatch, SpellsRandomLabelsBehindRandomPrompts) {
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): equal on every run
  const auto draw = [&](size_t most, size_t longest) {
    Rows rows(1 + random() % most);
    for (auto& ids : rows) {
      ids.resize(1 + random() % longest);
      for (auto& id : ids) id = static_cast<int32_t>(random() % 3);
    }
    return rows;
  };
  for (int round = 0; round < 60; ++round) {
    const Rows prompts = draw(4, 5), labels = draw(8, 5);
    const LabelBatch packed = pack(prompts, labels);
    expect_spells(packed, prompts, labels);
    size_t bound = prompts.size() * label_tree_tokens(labels);
    for (const Ids& prompt : prompts) bound += prompt.size();
    EXPECT_LE(static_cast<size_t>(packed.batch.token_count()), bound);
  }
}

}  // namespace
}  // namespace prefixmem::trainer
