// From the files that a spec names to examples.
#include "worker/trainer/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

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

TEST_F(DatasetTest, ValidationRowsHaveAFile) {
  label_words();
  spec_.data.validation = folder_.write("v.csv", "text,label\nvv,1\nv,0\n");
  spec_.data.holdout = HoldoutSpec{1, 0};
  spec_.eval.data = spec_.data;  // of test rows alone
  spec_.eval.split = EvalSplit::kValidation;
  const auto data = load();
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->train.size(), 4U) << "with a file none are set apart";
  ASSERT_EQ(data->eval.size(), 2U);
  EXPECT_EQ(data->eval.front().label, 1);
  EXPECT_EQ(data->label_ids.size(), 2U);
}

// Texts as long as their rows' number, so that an example says which row it is.
class HoldoutTest : public DatasetTest {
 protected:
  HoldoutTest() {
    std::string rows = "text,label\n";
    for (int i = 1; i <= kRows; ++i) {
      rows += std::string(static_cast<size_t>(i), 'x') + (i % 3 == 0 ? ",1\n" : ",0\n");
    }
    label_words();
    spec_.data.train = folder_.write("many.csv", rows);
    spec_.data.few_shot = FewShotSpec{2, 0};
    spec_.data.holdout = HoldoutSpec{8, 0};
  }
  Dataset loaded(EvalSplit split) {
    spec_.eval.split = split;
    auto data = load();
    EXPECT_TRUE(data.ok()) << data.status().message();
    return data.ok() ? std::move(data).value() : Dataset();
  }
  static std::set<int64_t> rows(const std::vector<Example>& examples) {
    std::set<int64_t> numbers;
    for (const Example& one : examples) numbers.insert(one.line - 1);
    return numbers;
  }

  static constexpr int kRows = 20;
};

TEST_F(HoldoutTest, NobodyTrainsOnValidationRows) {
  const auto held_out = rows(loaded(EvalSplit::kValidation).eval);
  EXPECT_EQ(held_out.size(), 8U);
  std::set<int64_t> trained;
  for (int64_t seed = 0; seed < 50; ++seed) {
    spec_.data.few_shot->seed = seed;
    const Dataset choosing = loaded(EvalSplit::kValidation);
    const Dataset testing = loaded(EvalSplit::kTest);
    EXPECT_EQ(rows(choosing.eval), held_out) << "whatever is trained on";
    EXPECT_EQ(rows(testing.eval), std::set<int64_t>{1});
    EXPECT_EQ(choosing.digest, testing.digest) << "a setting is tested as it was chosen";
    for (const int64_t row : rows(testing.train)) {
      EXPECT_FALSE(held_out.contains(row));
      trained.insert(row);
    }
  }
  EXPECT_EQ(trained.size(), 12U);
  spec_.data.holdout->seed = 1;
  EXPECT_NE(rows(loaded(EvalSplit::kValidation).eval), held_out);
}

TEST_F(HoldoutTest, EachLabelKeepsWhatIsTrainedOn) {
  spec_.data.holdout->rows = 1000;
  const Dataset data = loaded(EvalSplit::kValidation);
  EXPECT_EQ(data.eval.size(), 16U);
  EXPECT_EQ(data.train.size(), 4U);
}

TEST_F(HoldoutTest, RefusesWhereNoneCanBeSpared) {
  spec_.data.few_shot->per_class = 14;
  expect_refused("data.holdout.rows is 8, but no row of " + spec_.data.train +
                 " can be spared; allowed: only with more rows of a label than are trained on");
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
