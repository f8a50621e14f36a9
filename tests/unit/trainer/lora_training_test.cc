// Training with dropout; run alone and in a gang of three.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/trainer/lora_fixture.h"
#include "tests/unit/trainer/sft_task.h"
#include "tests/unit/trainer/test_gang.h"
#include "tests/unit/trainer/toy_model.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {
namespace {

struct Job {
  int64_t micro_batch_tokens = 4096;
  double dropout = 0.4;
  int64_t seed = 0;
};

// The losses of eight steps of five rows each, two epochs.
std::vector<double> losses(const Job& job, Collective& collective) {
  TrainSpec spec;
  spec.max_steps = 8;
  spec.global_batch_size = 5;
  spec.learning_rate = 0.02;
  spec.micro_batch_tokens = job.micro_batch_tokens;
  spec.seed = job.seed;
  const auto rows = toy_rows(20);
  const auto model = tiny_transformer(false);
  const auto adapter =
      lora_of({.r = 3, .dropout = job.dropout, .use_dora = true, .loraplus_lr_ratio = 4}, *model);
  randomize(*adapter);
  Trainer trainer(sft_task(spec, rows), *model, *adapter, collective);
  std::vector<double> out;
  for (int64_t i = 0; i < *spec.max_steps; ++i) out.push_back(trainer.step().value().loss);
  return out;
}

void expect_similar(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4) << "step " << i + 1;
}

TEST(LoraTraining, DropoutIsTheSameInAnyMicroBatches) {
  const auto whole = losses({}, *test_gang());
  for (const int64_t tokens : {1, 30}) {
    expect_similar(losses({.micro_batch_tokens = tokens}, *test_gang()), whole);
  }
  EXPECT_GT(std::abs(whole.back() - whole.front()), 1e-2) << "the weights did not move";
}

TEST(LoraTraining, DropoutIsTheSameOnAnyNumberOfRanks) {
  const auto alone = make_single_collective(torch::kCPU);
  expect_similar(losses({}, *test_gang()), losses({}, *alone));
}

TEST(LoraTraining, DropoutChangesWhatIsLearned) {
  const auto wet = losses({}, *test_gang()), dry = losses({.dropout = 0}, *test_gang());
  EXPECT_GT(std::abs(wet[0] - dry[0]), 1e-2);
  EXPECT_GT(std::abs(wet[0] - losses({.seed = 1}, *test_gang())[0]), 1e-2);
}

}  // namespace
}  // namespace prefixmem::trainer
