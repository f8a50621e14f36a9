// Shared beginnings change nothing but rounding: loss and gradients of rows in company, on any cut
// into micro-batches and ranks, against each row alone; for every method, objective and kind of
// layer.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <numeric>

#include "tests/unit/trainer/random_examples.h"
#include "tests/unit/trainer/tiny_adapters.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/data/partition.h"
#include "worker/trainer/objective/score.h"

namespace prefixmem::trainer {
namespace {

using Rows = std::vector<int64_t>;

struct Method {
  const char* name;
  MethodSpec spec;
};

const LoraMethod kLora{3, 12};
const Method kMethods[] = {
    {"memory", PrefixMemoryMethod()},
    {"memory_mlp_before_rotary",
     PrefixMemoryMethod{.feature_map = PrefixMemoryMethod::FeatureMap::kMlp,
                        .feature_dim = 6,
                        .query = PrefixMemoryMethod::Query::kPreRope,
                        .layers = {"1-2"}}},
    {"memory_of_hidden", PrefixMemoryMethod{.scope = PrefixMemoryMethod::Scope::kHidden}},
    {"prefix_tuning", PrefixTuningMethod{.num_virtual_tokens = 3}},
    {"lora", kLora},
    {"combined",
     CombinedMethod{{PrefixMemoryMethod(), PrefixTuningMethod{.num_virtual_tokens = 4}, kLora}}},
    {"full", FullMethod()},
};

struct Outcome {
  double loss = 0;
  std::vector<torch::Tensor> gradients;
};

struct Job {
  Job(const MethodSpec& method, bool gemma, const ObjectiveSpec& spec)
      : model(tiny_transformer(gemma)),
        gang(make_single_collective(torch::kCPU)),
        objective(make_objective(spec)) {
    adapter = std::move(make_adapter(method, {.model = model->config(),
                                              .seed = 1,
                                              .device = torch::kCPU,
                                              .decoder = model.get()}))
                  .value();
    if (!adapter->trains_model()) randomize(*adapter);
  }

  void remember(const std::vector<Example>& examples) {
    if (!objective->has_reference()) return;
    if (!adapter->trains_model()) {
      reference = adapter_off(*model);
    } else {
      reference = std::move(remember_reference(examples, *model, *gang, 50)).value();
    }
  }

  // The sum over all micro-batches of all ranks.
  Outcome run(const std::vector<Example>& examples, const Rows& rows, PlanOptions options) const {
    for (const Parameter& parameter : adapter->parameters()) {
      parameter.value.mutable_grad() = torch::zeros_like(parameter.value);
    }
    Outcome outcome;
    for (options.rank = 0; options.rank < options.ranks; ++options.rank) {
      const StepPlan plan = plan_step(rows, examples, options);
      const auto units = static_cast<double>(objective->units(plan.examples, plan.label_tokens));
      for (const auto& some : plan.micro_batches) {
        const ScoredBatch batch(some, examples, torch::kCPU, options.min_shared);
        const auto scores = batch.score(*model, adapter.get(), reference.get());
        const torch::Tensor loss = objective->loss_sum(scores) / units;
        loss.backward();
        outcome.loss += loss.item<double>();
      }
    }
    for (const Parameter& parameter : adapter->parameters()) {
      outcome.gradients.push_back(parameter.value.grad().clone());
    }
    return outcome;
  }

  const std::unique_ptr<Transformer> model;
  const std::unique_ptr<Collective> gang;
  const std::unique_ptr<Objective> objective;
  std::unique_ptr<Adapter> adapter;
  std::unique_ptr<Reference> reference;
};

double norm(const std::vector<torch::Tensor>& tensors) {
  double sum = 0;
  for (const torch::Tensor& tensor : tensors) sum += tensor.square().sum().item<double>();
  return std::sqrt(sum);
}

// Gradients relative to their norm, each parameter's to that of all: 1e-5, and twice that because
// what is left of a pair's two gradients is smaller than either.
void expect_equal(const Outcome& got, const Outcome& want) {
  EXPECT_NEAR(got.loss, want.loss, 1e-5 * std::abs(want.loss));
  std::vector<torch::Tensor> differences;
  for (size_t i = 0; i < want.gradients.size(); ++i) {
    differences.push_back(got.gradients[i] - want.gradients[i]);
  }
  const double size = norm(want.gradients);
  ASSERT_GT(size, 0);
  EXPECT_LT(norm(differences), 2e-5 * size);
}

// A third of the cuts has one large micro-batch.
PlanOptions random_cut(RandomExamples& random, int64_t per_row) {
  PlanOptions options;
  options.ranks = 1 + static_cast<int>(random.draw(3));
  options.micro_batch_tokens = random.draw(3) == 0 ? 4096 : 5 + random.draw(80);
  options.examples_per_row = per_row;
  options.min_shared = std::array<int64_t, 3>{1, 3, kMinShared}[random.draw(3)];
  return options;
}

void check(const MethodSpec& method, bool gemma, const ObjectiveSpec& objective, uint32_t seed) {
  SCOPED_TRACE((gemma ? "gemma, seed " : "llama, seed ") + std::to_string(seed));
  RandomExamples random(seed);
  const bool paired = !std::holds_alternative<SftObjective>(objective);
  const int64_t per_row = paired ? 2 : 1, count = 3 + random.draw(7);
  const auto examples = paired ? random.pairs(count) : random.examples(count);
  Rows rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  Job job(method, gemma, objective);
  job.remember(examples);
  PlanOptions alone{0, 1, 1, per_row, kShareNothing};
  const Outcome want = job.run(examples, rows, alone);
  expect_equal(job.run(examples, rows, {0, 1, 4096, per_row, 1}), want);
  expect_equal(job.run(examples, rows, random_cut(random, per_row)), want);
}

class SharingTest : public testing::TestWithParam<Method> {};
INSTANTIATE_TEST_SUITE_P(Methods, SharingTest, testing::ValuesIn(kMethods),
                         [](const auto& info) { return info.param.name; });

TEST_P(SharingTest, IsExactOnRandomTrees) {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    check(GetParam().spec, seed % 2 == 0, SftObjective(), seed);
  }
}

TEST_P(SharingTest, IsExactOnPairsOfAnswers) {
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    check(GetParam().spec, seed % 2 == 0, DpoObjective{0.4}, seed);
    check(GetParam().spec, seed % 2 == 1, SimpoObjective{1.5, 0.3}, seed + 10);
  }
}

// What there is to save is saved, and labels in a shared part count for each row.
TEST(Sharing, EqualRowsAndBeginningsAreComputedOnce) {
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<Example> examples = {example_of(ids, 4), example_of(ids, 4)};
  examples.push_back(example_of({ids.begin(), ids.begin() + 11}, 9));
  const RaggedBatch batch = pack_rows({0, 1, 2}, examples);
  EXPECT_EQ(batch.segments.size(), 1U);
  EXPECT_EQ(batch.token_count(), 11);
  EXPECT_EQ(batch.label_ids.numel(), 8 + 8 + 2);
  const Job job(PrefixMemoryMethod(), true, SftObjective());
  const Outcome apart = job.run(examples, {0, 1, 2}, {0, 1, 4096, 1, kShareNothing});
  expect_equal(job.run(examples, {0, 1, 2}, {0, 1, 4096}), apart);
}

TEST(Sharing, NoneWhereRowsAreToBeApart) {
  const std::vector<Example> examples(3, example_of({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 4));
  const RaggedBatch batch = pack_rows({0, 1, 2}, examples, kShareNothing);
  EXPECT_EQ(batch.segments.size(), 3U);
  EXPECT_EQ(batch.token_count(), 3 * 9);
}

}  // namespace
}  // namespace prefixmem::trainer
