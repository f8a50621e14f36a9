// Adapters in company compute what each computes alone: loss and gradients of random banks.
#include "worker/trainer/adapters/adapter_spans.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <numeric>

#include "tests/unit/trainer/random_examples.h"
#include "tests/unit/trainer/tiny_adapters.h"
#include "worker/trainer/data/dropout_keys.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/model/joined_batch.h"

namespace prefixmem::trainer {
namespace {

const std::vector<MethodSpec> kMethods = {
    PrefixMemoryMethod(),
    PrefixMemoryMethod{.feature_map = PrefixMemoryMethod::FeatureMap::kMlp,
                       .feature_dim = 6,
                       .query = PrefixMemoryMethod::Query::kPreRope,
                       .layers = {"1-2"}},
    PrefixMemoryMethod{.scope = PrefixMemoryMethod::Scope::kHidden},
    PrefixTuningMethod{.num_virtual_tokens = 3},
    PrefixTuningMethod{
        .num_virtual_tokens = 5, .prefix_projection = true, .encoder_hidden_size = 7},
    LoraMethod{.r = 3, .alpha = 12},
    LoraMethod{.r = 2, .alpha = 4, .dropout = 0.3},
    LoraMethod{.r = 5, .alpha = 5, .target_modules = {"q_proj", "down_proj"}, .use_dora = true},
    CombinedMethod{{PrefixMemoryMethod(), PrefixTuningMethod{.num_virtual_tokens = 4},
                    LoraMethod{.r = 2, .alpha = 8}}},
};

struct Trial {
  std::unique_ptr<Adapter> adapter;  // null: the base itself
  RaggedBatch batch;
  double scale = 1;  // of its loss
};

Trial random_trial(Transformer& model, RandomExamples& random) {
  Trial trial;
  const bool base = random.draw(8) == 0;
  const uint32_t seed = random.draw(1000);
  if (!base) {
    const AdapterContext context{.model = model.config(), .seed = seed, .decoder = &model};
    trial.adapter =
        std::move(make_adapter(kMethods[random.draw(kMethods.size())], context)).value();
    randomize(*trial.adapter, seed);
  }
  const auto examples = random.examples(1 + random.draw(5));
  std::vector<int64_t> rows(examples.size());
  std::iota(rows.begin(), rows.end(), 0);
  const bool drops = trial.adapter && trial.adapter->uses_dropout();
  trial.batch = pack_rows(rows, examples, drops ? kShareNothing : 1);
  if (drops) trial.batch.dropout_keys = dropout_keys(trial.batch, rows, seed, 3);
  trial.scale = 1.0 / (1 + random.draw(9));
  return trial;
}

std::vector<torch::Tensor> take_gradients(Adapter* adapter) {
  std::vector<torch::Tensor> gradients;
  if (adapter == nullptr) return gradients;
  for (const Parameter& parameter : adapter->parameters()) {
    torch::Tensor& gradient = parameter.value.mutable_grad();
    gradients.push_back(gradient.defined() ? gradient.flatten()
                                           : torch::zeros_like(parameter.value).flatten());
    gradient.reset();
  }
  return gradients;
}

// Log-probabilities at the trial's labels and gradients of its loss.
struct Outcome {
  torch::Tensor scores, gradients;
};

Outcome outcome(const torch::Tensor& scores, const Trial& trial) {
  const auto gradients = take_gradients(trial.adapter.get());
  return {scores.detach(), gradients.empty() ? torch::Tensor() : torch::cat(gradients)};
}

Outcome alone(Transformer& model, const Trial& trial) {
  const torch::Tensor scores = model.token_log_probs(
      model.hidden(trial.batch, trial.adapter.get(), trial.batch.label_sources),
      trial.batch.label_ids);
  if (trial.adapter) (scores.sum() * trial.scale).backward();
  return outcome(scores, trial);
}

std::vector<Outcome> together(Transformer& model, const std::vector<Trial>& trials) {
  std::vector<const RaggedBatch*> batches;
  std::vector<AdapterSpan> spans;
  std::vector<int64_t> labels;
  for (const Trial& trial : trials) {
    batches.push_back(&trial.batch);
    spans.push_back({trial.adapter.get(), trial.batch.token_count()});
    labels.push_back(trial.batch.label_ids.numel());
  }
  const RaggedBatch batch = join_batches(batches);
  const auto scores =
      model
          .token_log_probs(model.hidden(batch, AdapterSpans(spans), batch.label_sources),
                           batch.label_ids)
          .split_with_sizes(labels);
  torch::Tensor loss = torch::zeros({});
  for (size_t i = 0; i < trials.size(); ++i) loss = loss + scores[i].sum() * trials[i].scale;
  if (loss.requires_grad()) loss.backward();
  std::vector<Outcome> outcomes;
  for (size_t i = 0; i < trials.size(); ++i) outcomes.push_back(outcome(scores[i], trials[i]));
  return outcomes;
}

// Up to 1e-5 of the norm.
void expect_equal(const torch::Tensor& got, const torch::Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LE((got - want).norm().item<double>(), 1e-5 * want.norm().item<double>());
}

void check(bool gemma, uint32_t seed) {
  SCOPED_TRACE((gemma ? "gemma, seed " : "llama, seed ") + std::to_string(seed));
  RandomExamples random(seed);
  const auto model = tiny_transformer(gemma);
  std::vector<Trial> trials;
  for (uint32_t left = 2 + random.draw(4); left > 0; --left) {
    trials.push_back(random_trial(*model, random));
  }
  const auto got = together(*model, trials);
  for (size_t i = 0; i < trials.size(); ++i) {
    SCOPED_TRACE("trial " + std::to_string(i));
    const Outcome want = alone(*model, trials[i]);
    expect_equal(got[i].scores, want.scores);
    ASSERT_EQ(got[i].gradients.defined(), want.gradients.defined());
    if (!want.gradients.defined()) continue;
    ASSERT_GT(want.gradients.norm().item<double>(), 0);
    expect_equal(got[i].gradients, want.gradients);
  }
}

TEST(AdapterSpans, EachTrialOfRandomBanksIsAsAlone) {
  for (uint32_t seed = 1; seed <= 40; ++seed) check(seed % 2 == 0, seed);
}

TEST(AdapterSpans, SelectedRowsKeepTheirAdapters) {
  const auto config = tiny_config(false);
  const auto a = tiny_adapter(LoraMethod{2, 4}, config), b = tiny_adapter(LoraMethod{3, 6}, config);
  const AdapterSpans spans({{a.get(), 4}, {nullptr, 3}, {b.get(), 5}});
  const auto left = spans.select(torch::tensor({0, 3, 7, 8, 11}, torch::kLong)).spans();
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0].tokens, 2);
  EXPECT_EQ(left[1].tokens, 0);
  EXPECT_EQ(left[2].tokens, 3);
  EXPECT_EQ(left[0].adapter, a.get());
  EXPECT_EQ(left[2].adapter, b.get());
}

TEST(AdapterSpans, NothingIsAddedWithoutAdapters) {
  const auto model = tiny_transformer(true);
  const RaggedBatch batch = two_rows();
  const torch::Tensor all = torch::arange(batch.token_count(), torch::kLong);
  const AdapterSpans none({{nullptr, 8}, {nullptr, batch.token_count() - 8}});
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(torch::equal(model->hidden(batch, none, all), model->hidden(batch, nullptr, all)));
}

}  // namespace
}  // namespace prefixmem::trainer
