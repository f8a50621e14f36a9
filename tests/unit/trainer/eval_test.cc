// Evaluation on the toy model against one row, one label at a time; run alone and in a gang of
// three.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "tests/unit/trainer/test_gang.h"
#include "tests/unit/trainer/toy_model.h"
#include "worker/trainer/eval/evaluate.h"

namespace prefixmem::trainer {
namespace {

constexpr int32_t kEos = 2;

// Writes ids as letters.
class LetterCodec : public TextCodec {
 public:
  Result<std::vector<int32_t>> encode(std::string_view, bool) const override {
    return internal_error("not used");
  }
  Result<std::string> decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (const int32_t id : ids) text += static_cast<char>('A' + id);
    return text;
  }
  Result<std::string> render_chat(const std::string&, bool) const override {
    return internal_error("not used");
  }
  int32_t eos_id() const override { return kEos; }
};

EvalSpec spec_of(EvalMode mode) {
  EvalSpec spec;
  spec.mode = mode;
  return spec;
}

// Rows that share nothing, and rows that begin with one instruction.
class EvalTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const torch::NoGradGuard no_grad;
    for (Example& row : rows_) {
      if (!GetParam()) continue;
      const std::vector<int32_t> instruction = {9, 1, 30, 4, 4, 17, 8, 21, 3, 3, 12};
      row.ids.insert(row.ids.begin(), instruction.begin(), instruction.end());
      row.prompt_tokens += static_cast<int64_t>(instruction.size());
    }
    adapter_.parameters()[0].value.copy_(torch::arange(ToyDecoder::kHidden).mul(1.3).cos());
    for (size_t i = 0; i < rows_.size(); ++i)
      rows_[i].label = static_cast<int64_t>(i % labels_.size());
  }
  Result<EvalEvent> run(int64_t micro_batch_tokens = 4096, bool stop = false) {
    const auto objective = make_objective(objective_);
    const auto reference = objective->has_reference() ? adapter_off(model_) : nullptr;
    return evaluate({.spec = spec_,
                     .examples = rows_,
                     .examples_per_row = examples_per_row_,
                     .label_ids = labels_,
                     .codec = codec_,
                     .model = model_,
                     .adapter = &adapter_,
                     .objective = *objective,
                     .reference = reference.get(),
                     .gang = *test_gang(),
                     .micro_batch_tokens = micro_batch_tokens,
                     .should_stop = [stop] { return stop; }},
                    7);
  }
  // log p(answer | prompt) of a row, its label tokens together.
  double answer_score(const Example& row, bool adapted = true) {
    return score(row, {row.ids.begin() + row.prompt_tokens, row.ids.end()}, adapted);
  }
  // log p(tokens | prompt), the whole row computed for it.
  double score(const Example& row, const std::vector<int32_t>& tokens, bool adapted = true) {
    const torch::NoGradGuard no_grad;
    std::vector<int32_t> ids(row.ids.begin(), row.ids.begin() + row.prompt_tokens);
    double sum = 0;
    for (const int32_t token : tokens) {
      const auto cache = model_.new_cache();
      const auto hidden = model_.extend(*cache, ids, adapted ? &adapter_ : nullptr);
      sum += model_.logits(hidden).log_softmax(1)[0][token].item<double>();
      ids.push_back(token);
    }
    return sum;
  }
  int64_t brute_force_label(const Example& row) {
    std::vector<double> scores;
    for (const auto& label : labels_) {
      const double length = spec_.length_normalized ? static_cast<double>(label.size()) : 1;
      scores.push_back(score(row, label) / length);
    }
    return std::max_element(scores.begin(), scores.end()) - scores.begin();
  }
  // What the model says after a row's prompt, at most spec_.max_new_tokens letters.
  std::string greedy_text(const Example& row) {
    const torch::NoGradGuard no_grad;
    std::vector<int32_t> grown;
    const auto cache = model_.new_cache();
    const auto prompt = row.prompt();
    auto hidden = model_.extend(*cache, {prompt.begin(), prompt.end()}, &adapter_);
    while (static_cast<int64_t>(grown.size()) < spec_.max_new_tokens) {
      const auto next = static_cast<int32_t>(model_.logits(hidden).argmax(1).item<int64_t>());
      if (next == kEos) break;
      grown.push_back(next);
      hidden = model_.extend(*cache, {next}, &adapter_);
    }
    return *codec_.decode(grown);
  }
  double brute_force_accuracy() {
    double correct = 0;
    for (const Example& row : rows_) correct += brute_force_label(row) == row.label ? 1 : 0;
    return correct / static_cast<double>(rows_.size());
  }

  EvalSpec spec_ = spec_of(EvalMode::kLabelLikelihood);
  ObjectiveSpec objective_ = SftObjective{};
  int64_t examples_per_row_ = 1;
  std::vector<Example> rows_ = toy_rows(40);
  std::vector<std::vector<int32_t>> labels_ = {
      {5, 6, 7, kEos}, {5, 6, kEos}, {5, 9, kEos}, {11, kEos}};
  const LetterCodec codec_;
  ToyDecoder model_;
  ToyAdapter adapter_{ToyDecoder::kHidden};
};

INSTANTIATE_TEST_SUITE_P(Shared, EvalTest, ::testing::Bool());

TEST_P(EvalTest, LabelLikelihoodEqualsBruteForce) {
  for (const bool normalized : {false, true}) {
    spec_.length_normalized = normalized;
    const double expected = brute_force_accuracy();
    EXPECT_GT(expected, 0);
    EXPECT_LT(expected, 1);
    for (const int64_t tokens : {1, 50, 4096}) {
      const auto event = run(tokens);
      ASSERT_TRUE(event.ok()) << event.status().message();
      EXPECT_EQ(event->metric, "accuracy");
      EXPECT_EQ(event->step, 7);
      EXPECT_EQ(event->rows, 40);
      EXPECT_DOUBLE_EQ(event->value, expected);
    }
  }
}

TEST_P(EvalTest, MacroF1IsTheMeanOverLabels) {
  spec_.metric = Metric::kMacroF1;
  std::vector<double> hits(labels_.size()), seen(labels_.size());
  for (const Example& row : rows_) {
    const auto given = brute_force_label(row);
    hits[row.label] += given == row.label ? 1 : 0;
    seen[row.label] += 1;
    seen[given] += 1;
  }
  double sum = 0;
  for (size_t i = 0; i < labels_.size(); ++i) sum += 2 * hits[i] / seen[i];
  for (const int64_t tokens : {1, 4096}) {
    const auto event = run(tokens);
    ASSERT_TRUE(event.ok()) << event.status().message();
    EXPECT_EQ(event->metric, "macro_f1");
    EXPECT_DOUBLE_EQ(event->value, sum / static_cast<double>(labels_.size()));
  }
}

TEST_P(EvalTest, LossIsTheMeanOverLabelTokens) {
  spec_.mode = EvalMode::kLoss;
  double sum = 0, count = 0;
  for (const Example& row : rows_) {
    sum -= answer_score(row);
    count += static_cast<double>(row.label_tokens());
  }
  for (const int64_t tokens : {1, 4096}) EXPECT_NEAR(run(tokens)->value, sum / count, 1e-5);
}

TEST_P(EvalTest, PreferenceIsTheShareOfPairsWhoseChosenAnswerIsLikelier) {
  spec_.mode = EvalMode::kPreference;
  examples_per_row_ = 2;
  for (const bool normalized : {false, true}) {
    spec_.length_normalized = normalized;
    double preferred = 0;
    for (size_t i = 0; i < rows_.size(); i += 2) {
      double scores[2];
      for (size_t k = 0; k < 2; ++k) {
        const Example& row = rows_[i + k];
        const double length = normalized ? static_cast<double>(row.label_tokens()) : 1;
        scores[k] = answer_score(row) / length;
      }
      preferred += scores[0] > scores[1] ? 1 : 0;
    }
    ASSERT_GT(preferred, 0);
    for (const int64_t tokens : {1, 50, 4096}) {
      const auto event = run(tokens);
      ASSERT_TRUE(event.ok()) << event.status().message();
      EXPECT_EQ(event->metric, "preference_accuracy");
      EXPECT_EQ(event->rows, 20);
      EXPECT_DOUBLE_EQ(event->value, preferred / 20);
    }
  }
}

TEST_P(EvalTest, LossOfPairsIsTheObjectives) {
  spec_.mode = EvalMode::kLoss;
  examples_per_row_ = 2;
  objective_ = DpoObjective{0.3};
  double sum = 0;
  for (size_t i = 0; i < rows_.size(); i += 2) {
    const double chosen = answer_score(rows_[i]) - answer_score(rows_[i], false);
    const double rejected = answer_score(rows_[i + 1]) - answer_score(rows_[i + 1], false);
    sum += std::log1p(std::exp(-0.3 * (chosen - rejected)));
  }
  for (const int64_t tokens : {1, 4096}) EXPECT_NEAR(run(tokens)->value, sum / 20, 1e-5);
}

TEST_P(EvalTest, GenerationIsGreedyAndStopsAtItsLimit) {
  spec_.mode = EvalMode::kGenerate;
  spec_.max_new_tokens = 3;
  std::set<size_t> lengths;
  int64_t tokens = 0;  // chosen, eos included
  for (size_t i = 0; i < rows_.size(); ++i) {
    std::vector<int32_t> ids(rows_[i].ids.begin(), rows_[i].ids.begin() + rows_[i].prompt_tokens);
    std::vector<int32_t> grown;
    while (grown.size() < 3) {
      const auto cache = model_.new_cache();
      const auto next =
          model_.logits(model_.extend(*cache, ids, &adapter_)).argmax(1).item<int64_t>();
      ++tokens;
      if (next == kEos) break;
      grown.push_back(static_cast<int32_t>(next));
      ids.push_back(grown.back());
    }
    lengths.insert(grown.size());
    rows_[i].answer = i % 4 == 0 ? "no match" : " " + *codec_.decode(grown) + "\n";
  }
  ASSERT_GT(lengths.size(), 1U);
  for (const int64_t limit : {1, 60, 4096}) {
    model_.reads = 0;
    const auto event = run(limit);
    ASSERT_TRUE(event.ok());
    EXPECT_EQ(event->metric, "exact_match");
    EXPECT_DOUBLE_EQ(event->value, 0.75);
    // A row that has stopped is read no more; a shared beginning is read apart.
    if (test_gang()->size() == 1) {
      EXPECT_GE(model_.reads, tokens);
      EXPECT_LE(model_.reads, tokens + (GetParam() && limit > 1 ? 20 : 0));
    }
  }
}

TEST_P(EvalTest, AStopTextEndsAnAnswer) {
  spec_.mode = EvalMode::kGenerate;
  spec_.max_new_tokens = 6;
  for (Example& row : rows_) row.answer = greedy_text(row);
  EXPECT_DOUBLE_EQ(run()->value, 1);
  const std::string stop = rows_.front().answer.substr(1, 2);
  ASSERT_EQ(stop.size(), 2U);
  spec_.stop = {"never", stop};
  EXPECT_LT(run()->value, 1);
  for (Example& row : rows_) row.answer = row.answer.substr(0, row.answer.find(stop));
  ASSERT_LE(rows_.front().answer.size(), 1U);
  EXPECT_DOUBLE_EQ(run()->value, 1);
}

TEST_P(EvalTest, MathAnswersAreFoundInTheText) {
  spec_.mode = EvalMode::kGenerate;
  spec_.metric = Metric::kMathAnswer;
  spec_.max_new_tokens = 1;
  double right = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const std::string text = greedy_text(rows_[i]);
    const bool letter = !text.empty() && std::isalpha(text.front()) != 0;
    rows_[i].answer = letter && i % 2 == 0 ? "so \\boxed{ " + text + " }." : "7";
    right += letter && i % 2 == 0 ? 1 : 0;
  }
  ASSERT_GT(right, 0);
  const auto event = run();
  ASSERT_TRUE(event.ok()) << event.status().message();
  EXPECT_EQ(event->metric, "math_answer");
  EXPECT_DOUBLE_EQ(event->value, right / static_cast<double>(rows_.size()));
}

TEST_P(EvalTest, AStopOnOneRankStopsAll) {
  const auto event = run(4096, test_gang()->rank() == 0);
  EXPECT_EQ(event.status().code(), Code::kCancelled);
}

EvalSpec sample_spec(int64_t seed) {
  EvalSpec spec;
  spec.max_rows = 50;
  spec.seed = seed;
  return spec;
}

TEST(SampleRows, IsSeededAndInFileOrder) {
  EXPECT_THAT(sample_rows(4, {}), ::testing::ElementsAre(0, 1, 2, 3));
  const auto sample = sample_rows(1000, sample_spec(1));
  EXPECT_EQ(sample.size(), 50U);
  EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
  EXPECT_EQ(sample, sample_rows(1000, sample_spec(1)));
  EXPECT_NE(sample, sample_rows(1000, sample_spec(2)));
}

}  // namespace
}  // namespace prefixmem::trainer
