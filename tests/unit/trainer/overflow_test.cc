// Rows that are longer than allowed.
#include "worker/trainer/data/overflow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/byte_codec.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int32_t kBos = 1;

Example example(const std::vector<int32_t>& prompt, const std::vector<int32_t>& completion) {
  Example out;
  out.ids = prompt;
  out.ids.insert(out.ids.end(), completion.begin(), completion.end());
  out.prompt_tokens = static_cast<int64_t>(prompt.size());
  return out;
}

// bos 10 11 12 | 20 21 eos, and the same prompt with a longer completion.
std::vector<Example> pair() {
  return {example({1, 10, 11, 12}, {20, 21, 2}), example({1, 10, 11, 12}, {30, 31, 32, 2})};
}

Result<Fit> fit(std::vector<Example>& row, int64_t tokens, Overflow overflow, int32_t bos = kBos) {
  return fit_row(row, {tokens, overflow, "data.max_tokens"}, bos, "t.jsonl line 3");
}

TEST(Overflow, ARowThatFitsStaysAsItIs) {
  for (const auto overflow :
       {Overflow::kError, Overflow::kDrop, Overflow::kTruncateLeft, Overflow::kTruncateRight}) {
    auto row = pair();
    EXPECT_EQ(*fit(row, 8, overflow), Fit::kWhole);
    EXPECT_EQ(row[0].ids, pair()[0].ids);
    EXPECT_EQ(row[1].ids, pair()[1].ids);
  }
}

TEST(Overflow, APairIsDroppedForItsLongerAnswer) {
  auto row = pair();
  EXPECT_EQ(*fit(row, 7, Overflow::kDrop), Fit::kDropped);
}

TEST(Overflow, LeftCutsThePromptOfBothBehindBos) {
  auto row = pair();
  EXPECT_EQ(*fit(row, 6, Overflow::kTruncateLeft), Fit::kCut);
  EXPECT_THAT(row[0].ids, ElementsAre(1, 12, 20, 21, 2));
  EXPECT_THAT(row[1].ids, ElementsAre(1, 12, 30, 31, 32, 2));
  EXPECT_EQ(row[0].prompt_tokens, 2);
  EXPECT_EQ(row[1].prompt_tokens, 2);
}

TEST(Overflow, LeftKeepsNoBosThatIsNotThere) {
  for (const int32_t bos : {-1, 7}) {
    auto row = pair();
    EXPECT_EQ(*fit(row, 5, Overflow::kTruncateLeft, bos), Fit::kCut);
    EXPECT_THAT(row[0].ids, ElementsAre(12, 20, 21, 2));
    EXPECT_EQ(row[0].prompt_tokens, 1);
  }
}

TEST(Overflow, LeftLeavesCompletionsWhole) {
  auto row = pair();
  EXPECT_EQ(*fit(row, 5, Overflow::kTruncateLeft), Fit::kCut);
  EXPECT_THAT(row[1].ids, ElementsAre(1, 30, 31, 32, 2));
  row = pair();
  const Status status = fit(row, 4, Overflow::kTruncateLeft).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(
      status.message(),
      "t.jsonl line 3 holds a completion that does not fit: prompt and completion are 4 + 4 = "
      "8 tokens; allowed: at most 4 (data.max_tokens); data.overflow truncate_left cuts "
      "prompts only");
}

TEST(Overflow, RightCutsEachCompletionWithItsEos) {
  auto row = pair();
  EXPECT_EQ(*fit(row, 7, Overflow::kTruncateRight), Fit::kCut);
  EXPECT_THAT(row[0].ids, ElementsAre(1, 10, 11, 12, 20, 21, 2));
  EXPECT_THAT(row[1].ids, ElementsAre(1, 10, 11, 12, 30, 31, 32));
  EXPECT_EQ(row[1].prompt_tokens, 4);
}

TEST(Overflow, RightRefusesARowThatKeepsNoLabelToken) {
  auto row = pair();
  EXPECT_EQ(*fit(row, 5, Overflow::kTruncateRight), Fit::kCut);
  EXPECT_EQ(row[0].label_tokens(), 1);
  row = pair();
  EXPECT_THAT(fit(row, 4, Overflow::kTruncateRight).status().message(),
              HasSubstr("t.jsonl line 3 holds a completion that does not fit"));
  std::vector<Example> bare = {example({}, {20, 21, 2})};
  EXPECT_FALSE(fit(bare, 1, Overflow::kTruncateRight).ok());
  EXPECT_EQ(*fit(bare, 2, Overflow::kTruncateRight), Fit::kCut);
  EXPECT_EQ(bare.front().label_tokens(), 1);
}

const ByteCodec kCodec;

Result<EncodedRows> encode(const std::vector<std::string>& completions, Overflow overflow) {
  std::vector<Row> rows;
  for (const auto& text : completions) {
    rows.push_back({static_cast<int64_t>(rows.size()) + 1, "p", text, ""});
  }
  return RowEncoder(kCodec, {}, {}, {5, overflow, "data.max_tokens"}).encode_all(rows, "t.jsonl");
}

TEST(Overflow, IsCounted) {
  const std::vector<std::string> completions = {"a", "abc", "ab", "abcd"};
  for (const auto& [overflow, kept] :
       {std::pair(Overflow::kDrop, 2U), std::pair(Overflow::kTruncateRight, 4U)}) {
    const auto out = encode(completions, overflow);
    ASSERT_TRUE(out.ok()) << out.status().message();
    EXPECT_EQ(out->examples.size(), kept);
    EXPECT_EQ(out->counts.rows, 4);
    EXPECT_EQ(out->counts.too_long, 2);
    for (const Example& one : out->examples) EXPECT_LE(one.ids.size(), 5U);
  }
}

TEST(Overflow, ARowWithoutAnAnswerIsNotDropped) {
  const Status status = encode({"a", ""}, Overflow::kDrop).status();
  EXPECT_EQ(status.message(), "t.jsonl line 2 has no label token: its completion is empty");
}

TEST(Overflow, SomeRowHasToBeLeft) {
  EXPECT_EQ(encode({"abc", "abcd"}, Overflow::kDrop).status().message(),
            "every row of t.jsonl is longer than 5 tokens (data.max_tokens) and dropped; allowed: "
            "at least one that fits");
}

TEST(Overflow, IsTold) {
  const RowCounts counts{300, 12};
  EXPECT_EQ(overflow_note("data.train", counts, {512, Overflow::kDrop, "data.max_tokens"}),
            "data.train: 12 of 300 rows were longer than 512 tokens (data.max_tokens): dropped");
  EXPECT_THAT(overflow_note("data.eval", counts, {8, Overflow::kTruncateLeft, "x"}),
              HasSubstr("8 tokens (x): the beginning of their prompts was cut"));
  EXPECT_EQ(overflow_note("data.train", {300, 0}, {512, Overflow::kDrop, "x"}), "");
}

}  // namespace
}  // namespace prefixmem::trainer
