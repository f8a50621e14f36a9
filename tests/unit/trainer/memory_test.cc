// The prediction of common/memory against the tensors that a step holds: methods × families ×
// lengths × dtypes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/memory/estimate.h"
#include "tests/unit/trainer/made_weights.h"
#include "tests/unit/trainer/peak_bytes.h"
#include "tests/unit/trainer/random_examples.h"
#include "tests/unit/trainer/test_gang.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {
namespace {

constexpr double kMostOff = 0.15;
constexpr int64_t kVocabulary = 2000;

using FeatureMap = PrefixMemoryMethod::FeatureMap;

const std::vector<MethodSpec> kMethods = {
    PrefixMemoryMethod(),
    PrefixMemoryMethod{.feature_map = FeatureMap::kGelu},
    PrefixMemoryMethod{.feature_map = FeatureMap::kMlp, .feature_dim = 48},
    PrefixMemoryMethod{.query = PrefixMemoryMethod::Query::kPreRope, .layers = {"2-4"}},
    PrefixMemoryMethod{.scope = PrefixMemoryMethod::Scope::kHidden},
    PrefixTuningMethod{.num_virtual_tokens = 20},
    PrefixTuningMethod{.num_virtual_tokens = 8, .prefix_projection = true},
    LoraMethod(),
    LoraMethod{.r = 16, .target_modules = {"q_proj", "v_proj"}},
    LoraMethod{.r = 4, .target_modules = {"down_proj", "o_proj"}},
    LoraMethod{.dropout = 0.1},
    LoraMethod{.use_dora = true},
    CombinedMethod{{PrefixMemoryMethod(), LoraMethod()}},
    FullMethod(),
};

// Of the proportions that small models of each family have.
ModelConfig family(const std::string& name) {
  ModelConfig config;
  const bool gemma = name == "gemma3";
  config.family = name;
  config.hidden_size = gemma ? 80 : 96;
  config.intermediate_size = 256;
  config.num_layers = 5;
  config.num_attention_heads = gemma ? 4 : 6;
  config.num_key_value_heads = gemma ? 1 : 2;
  config.head_dim = gemma ? 32 : 16;
  config.vocab_size = kVocabulary;
  config.max_position_embeddings = 4096;
  config.rms_norm_eps = 1e-6;
  config.attention_scale = 0.2;
  config.activation = gemma ? Activation::kGeluTanh : Activation::kSilu;
  config.qk_norm = gemma || name == "qwen3";
  config.sandwich_norms = gemma;
  config.tie_word_embeddings = gemma || name == "qwen3";
  config.embedding_scale = gemma ? 12 : 1;
  config.qkv_bias = name == "qwen2";
  config.ropes = {plain_rope(config.head_dim, 10000)};
  if (gemma) config.ropes.push_back(plain_rope(config.head_dim, 1000000));
  for (int64_t i = 0; i < config.num_layers; ++i) {
    config.layers.push_back(gemma && i % 5 != 4 ? LayerConfig{256, 1} : LayerConfig{0, 0});
  }
  return config;
}

std::unique_ptr<Transformer> random_model(const ModelConfig& config, torch::Dtype dtype) {
  torch::manual_seed(3);
  const auto linear = [&](int64_t out, int64_t in) {
    return (torch::randn({out, in}) / std::sqrt(static_cast<double>(in))).to(dtype);
  };
  const auto bias = [&](int64_t n) { return torch::zeros({n}).to(dtype); };
  ModelWeights weights =
      make_weights(config, {linear, [](int64_t n) { return torch::ones({n}); }, bias});
  return std::make_unique<Transformer>(config, DecoderOptions{.dtype = dtype}, std::move(weights));
}

// Rows that share nothing, half of each scored.
std::vector<Example> rows(int64_t count, int64_t tokens) {
  RandomExamples random(7);
  std::vector<Example> rows;
  for (int64_t row = 0; row < count; ++row) {
    std::vector<int32_t> ids = {static_cast<int32_t>(row)};
    while (static_cast<int64_t>(ids.size()) < tokens) {
      ids.push_back(static_cast<int32_t>(random.draw(kVocabulary)));
    }
    rows.push_back(example_of(std::move(ids), tokens / 2));
  }
  return rows;
}

struct Compared {
  int64_t predicted, measured;
};

// Without the base's weights and the program, which are there before.
Compared compare(JobSpec spec, Transformer& model, const std::vector<Example>& examples,
                 int64_t recomputed) {
  const auto objective = make_objective(spec.objective);
  const auto reference = objective->has_reference() ? adapter_off(model) : nullptr;
  const PeakBytes bytes;
  const auto adapter =
      std::move(make_adapter(spec.method, {.model = model.config(), .decoder = &model})).value();
  const int64_t per_row = objective->has_reference() ? 2 : 1;
  spec.train.global_batch_size = static_cast<int64_t>(examples.size()) / per_row;
  const TrainTask task{spec.train, examples, per_row, *objective, reference.get(), recomputed};
  Trainer trainer(task, model, *adapter, *test_gang());
  trainer.begin_step();
  memory::PassSize pass{.row = static_cast<int64_t>(examples.front().ids.size())};
  for (size_t round = 0; round < trainer.rounds(); ++round) {
    pass.tokens = std::max(pass.tokens, trainer.micro_batch(round)->tokens());
  }
  pass.labels = pass.tokens / 2;
  trainer.step().value();
  memory::Estimate estimate = memory::estimate(spec, model.config(), pass, recomputed).value();
  if (!adapter->trains_model()) estimate.weights = 0;
  return {estimate.total() - estimate.program, bytes.peak()};
}

JobSpec job(const MethodSpec& method, torch::Dtype dtype) {
  JobSpec spec;
  spec.method = method;
  spec.resources.device = Device::kCpu;
  spec.train.max_steps = 2;
  spec.train.dtype = dtype == torch::kBFloat16 ? Dtype::kBf16 : Dtype::kFp32;
  return spec;
}

void expect_close(const JobSpec& spec, Transformer& model, const std::vector<Example>& examples,
                  int64_t recomputed = 0) {
  const auto [predicted, measured] = compare(spec, model, examples, recomputed);
  const auto size = static_cast<double>(measured);
  EXPECT_NEAR(static_cast<double>(predicted), size, kMostOff * size)
      << method_name(spec.method) << ": " << predicted / size << " of what it is";
}

class MemoryEstimate : public testing::TestWithParam<const char*> {};

TEST_P(MemoryEstimate, OfEachMethodAndLengthIsNearWhatAStepHolds) {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    const ModelConfig config = family(GetParam());
    for (const auto& [count, tokens] : {std::pair(4, 24), std::pair(6, 60), std::pair(2, 280)}) {
      const auto examples = rows(count, tokens);
      for (const MethodSpec& method : kMethods) {
        SCOPED_TRACE(std::string(c10::toString(dtype)) + ", " + std::to_string(count) +
                     " rows of " + std::to_string(tokens));
        const auto model = random_model(config, dtype);  // which full fine-tuning changes
        expect_close(job(method, dtype), *model, examples);
      }
    }
  }
}

TEST_P(MemoryEstimate, OfCheckpointedActivationsIsNearWhatAStepHolds) {
  const ModelConfig config = family(GetParam());
  const auto examples = rows(2, 280);
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    for (const MethodSpec& method : kMethods) {
      SCOPED_TRACE(c10::toString(dtype));
      const auto model = random_model(config, dtype);
      const int64_t some = dtype == torch::kFloat32 ? 2 : config.num_layers;
      expect_close(job(method, dtype), *model, examples, some);
    }
  }
}

// Whose logits, and the gradient of lm_head, are made in several blocks.
TEST_P(MemoryEstimate, OfALargeVocabularyIsNearWhatAStepHolds) {
  ModelConfig config = family(GetParam());
  config.vocab_size = 150'000;
  const auto examples = rows(2, 280);
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    SCOPED_TRACE(c10::toString(dtype));
    const auto model = random_model(config, dtype);
    expect_close(job(FullMethod(), dtype), *model, examples);
  }
}

TEST_P(MemoryEstimate, OfPairsAndOfExactSumsIsNearWhatAStepHolds) {
  const ModelConfig config = family(GetParam());
  const auto model = random_model(config, torch::kFloat32);
  const auto examples = rows(8, 60);
  for (const MethodSpec& method : {MethodSpec(PrefixMemoryMethod()), MethodSpec(LoraMethod())}) {
    JobSpec spec = job(method, torch::kFloat32);
    spec.objective = DpoObjective();
    expect_close(spec, *model, examples);
    spec.objective = SftObjective();
    spec.train.deterministic = true;
    expect_close(spec, *model, examples);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, MemoryEstimate,
                         testing::Values("llama", "qwen2", "qwen3", "gemma3"));

}  // namespace
}  // namespace prefixmem::trainer
