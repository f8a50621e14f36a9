// From the files that a spec names to examples.
#include "worker/trainer/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/byte_codec.h"
#include "tests/unit/trainer/scratch_folder.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DatasetTest : public ::testing::Test {
 protected:
  Result<Dataset> load() { return load_dataset(spec_, codec_, positions_); }
  void expect_refused(const std::string& sentence) {
    const Status status = load().status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(sentence));
  }
  void label_words() {
    spec_.data.format = DataFormat::kTextLabel;
    spec_.data.train = folder_.write("t.csv", "text,label\na,0\nbb,1\nccc,0\ndd,1\n");
    spec_.data.eval = folder_.write("e.csv", "text,label\na,1\n");
    spec_.data.label_words = {{"0", "no"}, {"1", "yes"}};
    spec_.eval.mode = EvalMode::kLabelLikelihood;
  }

  ScratchFolder folder_;
  ByteCodec codec_;
  JobSpec spec_;
  Positions positions_{.model = 100};
};

TEST_F(DatasetTest, LabelsAreThoseOfTheTrainingRows) {
  label_words();
  spec_.data.few_shot = FewShotSpec{1, 0};
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->train.size(), 2U);
  EXPECT_EQ(data->train_counts.rows, 2);
  EXPECT_THAT(data->label_ids,
              ElementsAre(ElementsAre(' ', 'n', 'o', 2), ElementsAre(' ', 'y', 'e', 's', 2)));
  EXPECT_EQ(data->eval.front().label, 1);
  EXPECT_THAT(data->notes, IsEmpty());
}

TEST_F(DatasetTest, RefusesLabelsThatDoNotFitTogether) {
  label_words();
  spec_.data.eval = folder_.write("e.csv", "text,label\na,1\na,2\n");
  expect_refused("e.csv line 3: label \"2\" does not occur in " + spec_.data.train);
  spec_.data.label_words["2"] = "x";
  expect_refused("data.label_words names the label \"2\", which no row has; allowed: 0, 1");
}

TEST_F(DatasetTest, GivenLabelsAreAllThereAreInTheirOrder) {
  label_words();
  spec_.data.label_words["2"] = "maybe";
  spec_.data.labels = {"2", "1", "0"};
  spec_.data.eval = folder_.write("e.csv", "text,label\na,1\na,2\n");
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->label_ids.size(), 3U);
  EXPECT_THAT(data->label_ids.back(), ElementsAre(' ', 'n', 'o', 2));
  EXPECT_EQ(data->eval.back().label, 0);
  spec_.data.labels = {"2", "1"};
  spec_.data.label_words.erase("0");
  expect_refused("t.csv line 2: label \"0\" is not in data.labels");
}

TEST_F(DatasetTest, WhereAnswersAreGeneratedAnyLabelWillDo) {
  label_words();
  spec_.eval.mode = EvalMode::kGenerate;
  spec_.data.eval = folder_.write("e.csv", "text,label\na,7\n");
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->eval.front().answer, " 7");
}

TEST_F(DatasetTest, HeldOutRowsMayBeOfAnotherKind) {
  label_words();
  spec_.eval.data = spec_.data;
  spec_.eval.data->train.clear();
  spec_.eval.data->prompt_template = "{labels}: {text}";
  spec_.data = DataSpec{};
  spec_.data.train = folder_.write("t.jsonl", R"({"prompt": "p", "completion": "c"})");
  spec_.eval.data->labels = {"0", "1"};
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_THAT(data->train.front().ids, ElementsAre(1, 'p', 'c', 2));
  EXPECT_EQ(data->eval.front().label, 1);
  EXPECT_EQ(data->eval.front().prompt_tokens, 1 + 10);  // "no, yes: a"
  EXPECT_EQ(data->label_ids.size(), 2U);
  spec_.eval.data->labels = {"0"};
  spec_.eval.data->label_words.erase("1");
  expect_refused("e.csv line 2: label \"1\" is not in data.labels");
}

TEST_F(DatasetTest, PromptsOfPairsHaveATemplate) {
  spec_.data.train = folder_.write("t.jsonl", R"({"prompt": "p", "completion": "c"})");
  spec_.data.prompt_template = "Q{text}?";
  EXPECT_THAT(load()->train.front().ids, ElementsAre(1, 'Q', 'p', '?', 'c', 2));
}

TEST_F(DatasetTest, SaysWhatBecameOfLongRows) {
  spec_.data.train = folder_.write("t.csv", "prompt,completion\npppp,c\np,c\n");
  spec_.data.eval = folder_.write("e.csv", "prompt,completion\np,c\n");
  spec_.data.max_tokens = 5;
  expect_refused("t.csv line 2 holds a completion that does not fit");
  spec_.data.overflow = Overflow::kTruncateLeft;
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_THAT(data->train.front().ids, ElementsAre(1, 'p', 'p', 'c', 2));
  EXPECT_THAT(
      data->notes,
      ElementsAre("data.train: 1 of 2 rows were longer than 5 tokens (data.max_tokens): the "
                  "beginning of their prompts was cut"));
  EXPECT_EQ(data->train_counts.too_long, 1);
  EXPECT_EQ(data->eval_counts.too_long, 0);
  spec_.data.max_tokens = 101;
  EXPECT_EQ(load()->train_counts.too_long, 0);
}

TEST_F(DatasetTest, SaysWhatLimitsARow) {
  spec_.data.train = folder_.write("t.csv", "prompt,completion\npppp,c\n");
  positions_ = {.model = 6};
  expect_refused("5 + 2 = 7 tokens; allowed: at most 6 (the model's max_position_embeddings)");
  positions_ = {.model = 26, .prefix = 20};
  spec_.data.max_tokens = 7;
  expect_refused("at most 6 (the model's max_position_embeddings of 26 less 20 virtual tokens)");
}

TEST_F(DatasetTest, HoldsTheTwoAnswersOfAPairSideBySide) {
  spec_.data.format = DataFormat::kPreference;
  spec_.data.train = folder_.write("t.tsv", "prompt\tgood\tbad\np\tc\tr\nq\td\ts\n");
  spec_.data.columns = {{"chosen", "good"}, {"rejected", "bad"}};
  spec_.eval.mode = EvalMode::kPreference;
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  std::vector<std::string> texts;
  for (const Example& example : data->train) texts.push_back(example.answer);
  EXPECT_THAT(texts, ElementsAre("c", "r", "d", "s"));
  EXPECT_EQ(data->train_counts.rows, 2);
}

TEST_F(DatasetTest, WithoutAMethodOnlyHeldOutRowsAreRead) {
  spec_.method = NoMethod{};
  spec_.data.eval = folder_.write("e.jsonl", R"({"prompt": "p", "completion": "c"})");
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_TRUE(data->train.empty());
  EXPECT_EQ(data->eval.size(), 1U);
}

TEST_F(DatasetTest, TheDigestIsOfEveryTokenOfTheTrainingRows) {
  spec_.data.train = folder_.write("t.csv", "prompt,completion\np,c\n");
  const std::string first = load()->digest;
  spec_.data.train = folder_.write("t.jsonl", R"({"prompt": "p", "completion": "c"})");
  EXPECT_EQ(load()->digest, first);
  spec_.data.train = folder_.write("t.jsonl", R"({"prompt": "pc", "completion": "c"})");
  EXPECT_NE(load()->digest, first);
}

}  // namespace
}  // namespace prefixmem::trainer
