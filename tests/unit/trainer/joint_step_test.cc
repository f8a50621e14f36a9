// Trainers in company learn what each learns alone: random banks of methods, rows, batch sizes and
// micro-batches; the same bits where that is asked for.
#include "worker/trainer/train/joint_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <limits>

#include "tests/unit/trainer/peak_bytes.h"
#include "tests/unit/trainer/random_examples.h"
#include "tests/unit/trainer/test_gang.h"
#include "tests/unit/trainer/tiny_adapters.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

const std::vector<MethodSpec> kMethods = {
    PrefixMemoryMethod(),
    PrefixMemoryMethod{.scope = PrefixMemoryMethod::Scope::kHidden},
    PrefixTuningMethod{.num_virtual_tokens = 3},
    PrefixTuningMethod{
        .num_virtual_tokens = 2, .prefix_projection = true, .encoder_hidden_size = 5},
    LoraMethod{.r = 3, .alpha = 6},
    LoraMethod{.r = 2, .alpha = 4, .dropout = 0.2},
    LoraMethod{.r = 2, .alpha = 4, .target_modules = {"v_proj", "up_proj"}, .use_dora = true},
};
const std::vector<ObjectiveSpec> kObjectives = {SftObjective(), DpoObjective{0.4},
                                                SimpoObjective{1.5, 0.3}};

// What a trial is made of, to be made twice.
struct Plan {
  MethodSpec method;
  ObjectiveSpec objective;
  std::vector<Example> rows;
  TrainSpec spec;
  int64_t recomputed = 0;  // layers
};

constexpr int64_t kAll = 100;  // layers, of models with fewer

Plan random_plan(RandomExamples& random, bool deterministic) {
  Plan plan;
  plan.method = kMethods[random.draw(kMethods.size())];
  const uint32_t objective = random.draw(5);
  plan.objective = kObjectives[objective < 3 ? 0 : objective - 2];
  const int64_t rows = 4 + random.draw(6);
  plan.rows = objective < 3 ? random.examples(rows) : random.pairs(rows);
  plan.spec.max_steps = 3 + random.draw(3);
  plan.spec.global_batch_size = 1 + random.draw(5);
  plan.spec.micro_batch_tokens = random.draw(3) == 0 ? 4096 : 8 + random.draw(60);
  plan.spec.learning_rate = 0.001 * (1 + random.draw(5));
  plan.spec.max_grad_norm = random.draw(2);
  plan.spec.seed = random.draw(100);
  plan.spec.deterministic = deterministic;
  return plan;
}

struct Trial {
  Trial(const Plan& plan, Transformer& model)
      : spec(plan.spec),
        rows(plan.rows),
        objective(make_objective(plan.objective)),
        reference(objective->has_reference() ? adapter_off(model) : nullptr),
        adapter(std::move(make_adapter(plan.method, {.model = model.config(),
                                                     .seed = static_cast<uint64_t>(spec.seed),
                                                     .decoder = &model}))
                    .value()) {
    const int64_t per_row = std::holds_alternative<SftObjective>(plan.objective) ? 1 : 2;
    const TrainTask task{spec, rows, per_row, *objective, reference.get(), plan.recomputed};
    trainer = std::make_unique<Trainer>(task, model, *adapter, *test_gang());
  }
  bool done() const { return trainer->steps_done() == trainer->total_steps(); }
  torch::Tensor values() const {
    std::vector<torch::Tensor> all;
    for (const Parameter& parameter : adapter->parameters()) {
      all.push_back(parameter.value.detach().flatten());
    }
    return torch::cat(all);
  }

  const TrainSpec spec;
  const std::vector<Example> rows;
  const std::unique_ptr<Objective> objective;
  const std::unique_ptr<Reference> reference;
  const std::unique_ptr<Adapter> adapter;
  std::unique_ptr<Trainer> trainer;
};

using Losses = std::vector<std::vector<double>>;  // of each trial

// Trains each to its end; those that are done leave the others.
Losses train(Transformer& model, const std::vector<Trial*>& trials) {
  Losses losses(trials.size());
  while (true) {
    std::vector<Trainer*> left;
    std::vector<size_t> which;
    for (size_t i = 0; i < trials.size(); ++i) {
      if (trials[i]->done()) continue;
      left.push_back(trials[i]->trainer.get());
      which.push_back(i);
    }
    if (left.empty()) return losses;
    const auto made = step_together(model, left).value();
    for (size_t i = 0; i < left.size(); ++i) losses[which[i]].push_back(made[i].value().loss);
  }
}

void check(uint32_t seed, bool deterministic) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomExamples random(seed);
  const auto model = tiny_transformer(seed % 2 == 0);
  std::vector<std::unique_ptr<Trial>> alone, joined;
  std::vector<Trial*> bank;
  for (uint32_t left = 2 + random.draw(3); left > 0; --left) {
    const Plan plan = random_plan(random, deterministic);
    alone.push_back(std::make_unique<Trial>(plan, *model));
    joined.push_back(std::make_unique<Trial>(plan, *model));
    bank.push_back(joined.back().get());
  }
  const Losses got = train(*model, bank);
  for (size_t i = 0; i < bank.size(); ++i) {
    SCOPED_TRACE("trial " + std::to_string(i));
    const auto want = train(*model, {alone[i].get()}).front();
    ASSERT_EQ(got[i].size(), want.size());
    if (deterministic) {
      EXPECT_EQ(got[i], want);
      EXPECT_TRUE(torch::equal(bank[i]->values(), alone[i]->values()));
      continue;
    }
    EXPECT_NEAR(got[i][0], want[0], 1e-6 * std::abs(want[0]));
    for (size_t s = 0; s < want.size(); ++s) {
      EXPECT_NEAR(got[i][s], want[s], 1e-5 * std::abs(want[s])) << "step " << s + 1;
    }
  }
}

TEST(JointStep, RandomBanksHaveTheLossesOfEachAlone) {
  for (uint32_t seed = 1; seed <= 12; ++seed) check(seed, false);
}

TEST(JointStep, RandomBanksHaveTheBitsOfEachAlone) {
  for (uint32_t seed = 21; seed <= 32; ++seed) check(seed, true);
}

// Losses and what is learned, with activations kept or computed again.
std::pair<Losses, torch::Tensor> learned(Plan plan, bool gemma, int64_t recomputed) {
  plan.recomputed = recomputed;
  const auto model = tiny_transformer(gemma);
  Trial trial(plan, *model);
  const Losses losses = train(*model, {&trial});
  return {losses, trial.values()};
}

TEST(ActivationCheckpointing, HasTheBitsOfKeepingThem) {
  for (uint32_t seed = 41; seed <= 64; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomExamples random(seed);
    Plan plan = random_plan(random, seed % 3 == 0);
    plan.method = seed % 8 == 0 ? MethodSpec(FullMethod()) : kMethods[seed % kMethods.size()];
    if (seed % 8 == 0) plan.objective = SftObjective();  // nothing is remembered of the base here
    const bool gemma = seed % 2 == 0;
    const auto [losses, values] = learned(plan, gemma, 0);
    for (const int64_t recomputed : {int64_t{1}, kAll}) {
      const auto [again, same] = learned(plan, gemma, recomputed);
      EXPECT_EQ(again, losses);
      EXPECT_TRUE(torch::equal(same, values));
    }
  }
}

// In a bank all that share a pass have it; each still learns what it learns alone.
TEST(ActivationCheckpointing, OfOneTrialChangesNoOther) {
  const auto model = tiny_transformer(true);
  RandomExamples random(7);
  std::vector<std::unique_ptr<Trial>> kept, mixed;
  for (int i = 0; i < 3; ++i) {
    Plan plan = random_plan(random, false);
    kept.push_back(std::make_unique<Trial>(plan, *model));
    if (i == 1) plan.recomputed = kAll;
    mixed.push_back(std::make_unique<Trial>(plan, *model));
  }
  const auto run = [&](const auto& trials) {
    return train(*model, {trials[0].get(), trials[1].get(), trials[2].get()});
  };
  EXPECT_EQ(run(mixed), run(kept));
}

// Of 12 layers, the inputs of each and all of one are left.
TEST(ActivationCheckpointing, HoldsAFractionOfTheMemory) {
  ModelConfig config = tiny_config(false);
  config.num_layers = 12;
  config.layers.resize(12);
  Transformer model(config, {.dtype = torch::kFloat32}, tiny_weights(config));
  RandomExamples random(3);
  for (const MethodSpec& method : kMethods) {
    Plan plan{method, SftObjective(), random.examples(30), {}};
    plan.spec.max_steps = 2;
    plan.spec.global_batch_size = 30;
    const auto peak = [&](int64_t recomputed) {
      plan.recomputed = recomputed;
      Trial trial(plan, model);
      trial.trainer->step().value();  // what the optimizer keeps is there
      const PeakBytes bytes;
      trial.trainer->step().value();
      return bytes.peak();
    };
    const int64_t kept = peak(0), computed = peak(kAll);
    EXPECT_LT(3 * computed, kept) << method_name(method) << ": " << computed << " of " << kept;
  }
}

// Counts the passes over the base.
class CountingDecoder final : public Decoder {
 public:
  explicit CountingDecoder(Transformer& model) : model_(model) {}
  const ModelConfig& config() const override { return model_.config(); }
  const DecoderOptions& options() const override { return model_.options(); }
  const LinearWeights& linear_weights(int64_t layer, Site site) const override {
    return model_.linear_weights(layer, site);
  }
  std::vector<Parameter> unfreeze() override { return {}; }
  torch::Tensor hidden(const RaggedBatch& batch, const AdapterSpans& adapters,
                       const torch::Tensor& sources) override {
    ++passes;
    most_tokens = std::max(most_tokens, batch.token_count());
    return model_.hidden(batch, adapters, sources);
  }
  torch::Tensor logits(const torch::Tensor& hidden) override { return model_.logits(hidden); }
  torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& ids) override {
    return model_.token_log_probs(hidden, ids);
  }
  std::shared_ptr<RowCache> new_cache() override { return model_.new_cache(); }
  std::shared_ptr<RowCache> copy(const RowCache& cache) override { return model_.copy(cache); }
  torch::Tensor extend_rows(const std::vector<RowCache*>& caches,
                            const std::vector<std::vector<int32_t>>& tokens,
                            Adapter* adapter) override {
    return model_.extend_rows(caches, tokens, adapter);
  }
  torch::Tensor grow(RowCache& tree, const RaggedBatch& batch, Adapter* adapter) override {
    return model_.grow(tree, batch, adapter);
  }

  int64_t passes = 0, most_tokens = 0;

 private:
  Transformer& model_;
};

Plan plain(int64_t micro_batch_tokens, bool deterministic = false) {
  Plan plan;
  plan.method = LoraMethod{.r = 2, .alpha = 4};
  plan.rows.assign(3, example_of({1, 2, 3, 4, 5, 6, 7, 8, 9}, 3));  // 8 tokens, once
  plan.spec.max_steps = 2;
  plan.spec.global_batch_size = 3;
  plan.spec.micro_batch_tokens = micro_batch_tokens;
  plan.spec.deterministic = deterministic;
  return plan;
}

// Of all ranks. Rows that share are the first rank's, which so has the largest pass.
double passes_of(const std::vector<Plan>& plans, int64_t most_tokens) {
  const auto model = tiny_transformer(false);
  std::vector<std::unique_ptr<Trial>> trials;
  std::vector<Trainer*> trainers;
  for (const Plan& plan : plans) {
    trials.push_back(std::make_unique<Trial>(plan, *model));
    trainers.push_back(trials.back()->trainer.get());
  }
  CountingDecoder counting(*model);
  EXPECT_TRUE(step_together(counting, trainers).ok());
  if (test_gang()->rank() == 0) {
    EXPECT_EQ(counting.most_tokens, most_tokens);
  }
  auto passes = static_cast<double>(counting.passes);
  EXPECT_TRUE(test_gang()->all_reduce_sum({&passes, 1}).ok());
  return passes;
}

TEST(JointStep, OnePassServesAsManyAsFit) {
  EXPECT_EQ(passes_of({plain(4096), plain(4096), plain(4096)}, 24), 1);
  EXPECT_EQ(passes_of({plain(16), plain(16), plain(16)}, 16), 2);
  // Under train.deterministic each row is a micro-batch, of any number of ranks.
  EXPECT_EQ(passes_of({plain(4096, true), plain(4096, true)}, 8), 6);
  EXPECT_EQ(passes_of({plain(4096), plain(4096, true), plain(4096)}, 16), 4);
}

TEST(JointStep, OneThatDivergesIsAloneWithIt) {
  const auto model = tiny_transformer(false);
  Trial healthy(plain(4096), *model), same(plain(4096), *model), broken(plain(4096), *model);
  broken.adapter->parameters()[0].value.data().fill_(std::numeric_limits<float>::quiet_NaN());
  const torch::Tensor before = broken.values().clone();
  const auto made = step_together(*model, {broken.trainer.get(), healthy.trainer.get()}).value();
  EXPECT_EQ(made[0].status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(made[0].status().message(), HasSubstr("nan at step 1"));
  EXPECT_EQ(broken.trainer->steps_done(), 0);
  EXPECT_TRUE(torch::allclose(broken.values(), before, 0, 0, /*equal_nan=*/true));
  EXPECT_NEAR(made[1].value().loss, same.trainer->step().value().loss, 1e-6);
  expect_close(healthy.values(), same.values());
}

}  // namespace
}  // namespace prefixmem::trainer
