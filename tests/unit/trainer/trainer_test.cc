// The step on a toy model; run alone and under `mpirun`.
#include "worker/trainer/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <cmath>
#include <limits>

#include "tests/unit/trainer/toy_job.h"
#include "worker/trainer/collective/backends.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

// The definition, written down once more with torch's own optimizer: whole batch, no cuts.
std::vector<double> reference_losses(const TrainSpec& spec, int64_t steps) {
  const auto rows = toy_rows(13);
  ToyDecoder model;
  ToyAdapter adapter(ToyDecoder::kHidden);
  std::vector<torch::Tensor> values;
  for (auto& parameter : adapter.parameters()) values.push_back(parameter.value);
  torch::optim::AdamW optimizer(values,
                                torch::optim::AdamWOptions(1).weight_decay(spec.weight_decay));
  Sampler sampler(13, spec.global_batch_size, spec.seed);
  std::vector<double> losses;
  for (int64_t step = 0; step < steps; ++step) {
    torch::Tensor sum = torch::zeros({});
    int64_t labels = 0;
    for (const int64_t row : sampler.batch(step)) {
      const auto& ids = rows[row].ids;
      for (size_t i = rows[row].prompt_tokens; i < ids.size(); ++i, ++labels) {
        RaggedBuilder builder;
        builder.add({ids.begin(), ids.begin() + i});
        builder.label(0, -1, ids[i]);
        const RaggedBatch batch = std::move(builder).build();
        sum = sum - model.token_log_probs(model.hidden(batch, &adapter, batch.label_sources),
                                          batch.label_ids)[0];
      }
    }
    optimizer.zero_grad();
    (sum / labels).backward();
    torch::nn::utils::clip_grad_norm_(values, spec.max_grad_norm);
    const double rate = step < 2 ? step / 2.0 : 0.5 * (1 + std::cos(M_PI * (step - 2) / 10.0));
    for (auto& group : optimizer.param_groups()) {
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(spec.learning_rate * rate);
    }
    optimizer.step();
    losses.push_back(sum.item<double>() / static_cast<double>(labels));
  }
  return losses;
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5) << "step " << i + 1;
}

// With a replicated and with a sharded optimizer.
class TrainerTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Sharded, TrainerTest, ::testing::Bool());

TEST_P(TrainerTest, FollowsTheDefinitionOnAnyNumberOfRanks) {
  Toy toy(toy_spec(), *test_gang(), GetParam());
  expect_near(toy.losses(12), reference_losses(toy_spec(), 12));
}

TEST_P(TrainerTest, MicroBatchesChangeNothing) {
  Toy whole(toy_spec(), *test_gang(), GetParam());
  const auto expected = whole.losses(12);
  for (const int64_t tokens : {1, 7, 25}) {
    TrainSpec spec = toy_spec();
    spec.micro_batch_tokens = tokens;
    expect_near(Toy(spec, *test_gang(), GetParam()).losses(12), expected);
  }
}

TEST_P(TrainerTest, RanksChangeNothing) {
  const auto alone = make_single_collective(torch::kCPU);
  expect_near(Toy(toy_spec(), *test_gang(), GetParam()).losses(12),
              Toy(toy_spec(), *alone).losses(12));
}

TEST(Trainer, CountsAreThoseOfTheGlobalBatch) {
  Toy toy(toy_spec(), *test_gang());
  const auto event = toy.trainer.step();
  ASSERT_TRUE(event.ok());
  int64_t tokens = 0, labels = 0;
  for (const int64_t row : Sampler(13, 5, 0).batch(0)) {
    tokens += toy.rows[row].input_tokens();
    labels += toy.rows[row].label_tokens();
  }
  EXPECT_EQ(event->step, 1);
  EXPECT_EQ(event->total_steps, 12);
  EXPECT_EQ(event->tokens, tokens);
  EXPECT_EQ(event->label_tokens, labels);
  EXPECT_EQ(event->learning_rate, 0);
}

TEST_P(TrainerTest, AGlobalBatchOfOneRowLeavesRanksIdle) {
  TrainSpec spec = toy_spec();
  spec.global_batch_size = 1;
  const auto alone = make_single_collective(torch::kCPU);
  expect_near(Toy(spec, *test_gang(), GetParam()).losses(5), Toy(spec, *alone).losses(5));
}

TEST_P(TrainerTest, ALossThatIsNotANumberEndsBeforeTheUpdate) {
  Toy toy(toy_spec(), *test_gang(), GetParam());
  toy.losses(2);
  toy.adapter.parameters()[0].value.data()[0] = std::numeric_limits<float>::quiet_NaN();
  const auto event = toy.trainer.step();
  ASSERT_FALSE(event.ok());
  EXPECT_EQ(event.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(event.status().message(),
              HasSubstr("loss is nan at step 3; lower train.learning_rate"));
  EXPECT_EQ(toy.trainer.steps_done(), 2);
}

}  // namespace
}  // namespace prefixmem::trainer
