// The step on a toy model; run alone and under `mpirun -n 2`.
#include "worker/trainer/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/trainer/toy_model.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/train/checkpoint.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Collective> gang;

class GangEnvironment : public ::testing::Environment {
  void SetUp() override { gang = std::move(make_collective({.device = Device::kCpu})).value(); }
  void TearDown() override { gang.reset(); }
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new GangEnvironment);

TrainSpec toy_spec() {
  TrainSpec spec;
  spec.max_steps = 12;
  spec.global_batch_size = 5;
  spec.learning_rate = 0.05;
  spec.schedule = Schedule::kCosine;
  spec.warmup_steps = 2;
  spec.max_grad_norm = 0.5;
  spec.weight_decay = 0.01;
  return spec;
}

struct Toy {
  Toy(const TrainSpec& train, Collective& collective)
      : spec(train),
        rows(toy_rows(13)),
        adapter(ToyDecoder::kHidden),
        trainer(spec, rows, model, adapter, collective) {}

  std::vector<double> losses(int64_t steps) {
    std::vector<double> out;
    for (int64_t i = 0; i < steps; ++i) out.push_back(trainer.step().value().loss);
    return out;
  }

  const TrainSpec spec;
  const std::vector<Example> rows;
  ToyDecoder model;
  ToyAdapter adapter;
  Trainer trainer;
};

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

TEST(Trainer, FollowsTheDefinitionOnAnyNumberOfRanks) {
  Toy toy(toy_spec(), *gang);
  expect_near(toy.losses(12), reference_losses(toy_spec(), 12));
}

TEST(Trainer, MicroBatchesChangeNothing) {
  Toy whole(toy_spec(), *gang);
  const auto expected = whole.losses(12);
  for (const int64_t tokens : {1, 7, 25}) {
    TrainSpec spec = toy_spec();
    spec.micro_batch_tokens = tokens;
    expect_near(Toy(spec, *gang).losses(12), expected);
  }
}

TEST(Trainer, RanksChangeNothing) {
  const auto alone = make_single_collective(torch::kCPU);
  expect_near(Toy(toy_spec(), *gang).losses(12), Toy(toy_spec(), *alone).losses(12));
}

TEST(Trainer, CountsAreThoseOfTheGlobalBatch) {
  Toy toy(toy_spec(), *gang);
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

TEST(Trainer, AGlobalBatchOfOneRowLeavesRanksIdle) {
  TrainSpec spec = toy_spec();
  spec.global_batch_size = 1;
  const auto alone = make_single_collective(torch::kCPU);
  expect_near(Toy(spec, *gang).losses(5), Toy(spec, *alone).losses(5));
}

TEST(Trainer, ALossThatIsNotANumberEndsBeforeTheUpdate) {
  Toy toy(toy_spec(), *gang);
  toy.losses(2);
  toy.trainer.parameters().values()[0] = std::numeric_limits<float>::quiet_NaN();
  const auto event = toy.trainer.step();
  ASSERT_FALSE(event.ok());
  EXPECT_EQ(event.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(event.status().message(),
              HasSubstr("loss is nan at step 3; lower train.learning_rate"));
  EXPECT_EQ(toy.trainer.steps_done(), 2);
}

std::string state(Toy& toy) {
  return serialize_checkpoint({toy.trainer.steps_done(), "f", "s", "d", {}},
                              toy.adapter.parameters(), toy.trainer);
}

TEST(Checkpoint, StoppedAnywhereAndResumedIsNeverStopped) {
  Toy whole(toy_spec(), *gang);
  const auto expected = whole.losses(12);
  const std::string last = state(whole);
  for (int64_t stop = 1; stop < 12; ++stop) {
    Toy before(toy_spec(), *gang);
    before.losses(stop);
    const std::string bytes = state(before);
    Toy after(toy_spec(), *gang);
    ASSERT_TRUE(restore_checkpoint(bytes, after.adapter.parameters(), after.trainer).ok());
    EXPECT_EQ(after.trainer.steps_done(), stop);
    EXPECT_EQ(after.losses(12 - stop),
              std::vector<double>(expected.begin() + stop, expected.end()));
    EXPECT_TRUE(state(after) == last) << "stopped after step " << stop;
  }
}

TEST(Checkpoint, KeepsItsMetadata) {
  Toy toy(toy_spec(), *gang);
  CheckpointInfo info{7, "AVX512 | 2 ranks", "name: x\n", "abc", {}};
  info.progress = {100, 1.5, 2.5, 0.1 + 0.2, {{0, "accuracy", 0.25, 40, 1.0}}};
  const auto read =
      read_checkpoint_info(serialize_checkpoint(info, toy.adapter.parameters(), toy.trainer));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->step, 7);
  EXPECT_EQ(read->fingerprint, info.fingerprint);
  EXPECT_EQ(read->spec_yaml, info.spec_yaml);
  EXPECT_EQ(read->progress.last_loss, 0.1 + 0.2);
  ASSERT_EQ(read->progress.evals.size(), 1U);
  EXPECT_EQ(read->progress.evals[0].value, 0.25);
}

TEST(Checkpoint, AnyDamageIsDataLoss) {
  Toy toy(toy_spec(), *gang);
  toy.losses(1);
  const std::string good = state(toy);
  ASSERT_TRUE(read_checkpoint_info(good).ok());
  for (size_t length = 0; length < good.size(); length += 13) {
    EXPECT_EQ(read_checkpoint_info(good.substr(0, length)).status().code(), Code::kDataLoss);
  }
  const size_t data = good.size() - size_t{3} * 16 * sizeof(float);
  for (size_t at = data; at < good.size(); at += 5) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_EQ(read_checkpoint_info(bad).status().code(), Code::kDataLoss);
  }
}

}  // namespace
}  // namespace prefixmem::trainer
