// Checkpoints of a toy job; run alone and under `mpirun`, with both kinds of optimizer.
#include "worker/trainer/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/toy_job.h"
#include "worker/trainer/collective/backends.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

Result<CheckpointInfo> info_of(const std::string& bytes) {
  PM_ASSIGN(const SafetensorsFile file, SafetensorsFile::over(bytes));
  return read_checkpoint_info(file);
}

class CheckpointTest : public ::testing::TestWithParam<bool> {
 protected:
  Toy toy() const { return {toy_spec(), *test_gang(), GetParam()}; }

  // The whole state; on every rank.
  std::string save(Toy& toy, const CheckpointInfo& info) const {
    const auto path = scratch_.path() / "checkpoint";
    const auto written = write_checkpoint(path, info, toy.trainer.optimizer(), *test_gang());
    EXPECT_TRUE(written.ok()) << written.status().message();
    std::string saved;
    if (test_gang()->rank() == 0) {
      saved = read_file(path).value();
      EXPECT_EQ(static_cast<int64_t>(saved.size()), written->bytes);
    }
    EXPECT_TRUE(test_gang()->broadcast(saved).ok());
    return saved;
  }
  std::string save(Toy& toy) const {
    return save(toy, {toy.trainer.steps_done(), "f", "s", "d", {}});
  }

  // Rank 0 alone has the bytes, as in a run.
  static CheckpointInfo restore(const std::string& bytes, Toy& toy) {
    std::optional<SafetensorsFile> file;
    CheckpointInfo info;
    if (test_gang()->rank() == 0) {
      file = SafetensorsFile::over(bytes).value();
      EXPECT_TRUE(check_checkpoint_tensors(*file, toy.adapter.parameters()).ok());
      info = read_checkpoint_info(*file).value();
    }
    EXPECT_TRUE(
        restore_checkpoint(file ? &*file : nullptr, info, toy.trainer.optimizer(), *test_gang())
            .ok());
    return info;
  }

  const ScratchFolder scratch_;
};
INSTANTIATE_TEST_SUITE_P(Sharded, CheckpointTest, ::testing::Bool());

TEST_P(CheckpointTest, StoppedAnywhereAndResumedIsNeverStopped) {
  Toy whole = toy();
  const auto expected = whole.losses(12);
  const std::string last = save(whole);
  for (const int64_t stop : {1, 2, 7, 11}) {
    Toy before = toy();
    before.losses(stop);
    const std::string bytes = save(before);
    Toy after = toy();
    EXPECT_EQ(restore(bytes, after).step, stop);
    EXPECT_EQ(after.trainer.steps_done(), stop);
    EXPECT_EQ(after.losses(12 - stop),
              std::vector<double>(expected.begin() + stop, expected.end()));
    EXPECT_TRUE(save(after) == last) << "stopped after step " << stop;
  }
}

// Neither the number of ranks nor the kind of optimizer is in the file.
TEST_P(CheckpointTest, GoesOnInAnotherGang) {
  const auto alone = make_single_collective(torch::kCPU);
  Toy before = toy();
  before.losses(5);
  const std::string bytes = save(before);
  Toy after(toy_spec(), *alone, !GetParam());
  const SafetensorsFile file = SafetensorsFile::over(bytes).value();
  CheckpointInfo info = read_checkpoint_info(file).value();
  ASSERT_TRUE(restore_checkpoint(&file, info, after.trainer.optimizer(), *alone).ok());
  const auto here = before.losses(7), there = after.losses(7);
  for (size_t i = 0; i < here.size(); ++i) EXPECT_NEAR(here[i], there[i], 1e-5);
}

TEST_P(CheckpointTest, KeepsItsMetadata) {
  Toy job = toy(), other = toy();
  CheckpointInfo info{7, "AVX512 | 2 ranks", "name: x\n", "abc", {}};
  info.progress = {100, 1.5, 2.5, 0.1 + 0.2, 3, {{0, "accuracy", 0.25, 40, 1.0}}};
  const std::string bytes = save(job, info);
  ASSERT_TRUE(info_of(bytes).ok()) << info_of(bytes).status().message();
  const CheckpointInfo restored = restore(bytes, other);  // on every rank
  EXPECT_EQ(restored.step, 7);
  EXPECT_EQ(restored.fingerprint, info.fingerprint);
  EXPECT_EQ(restored.spec_yaml, info.spec_yaml);
  EXPECT_EQ(restored.data_digest, "abc");
  EXPECT_EQ(restored.progress.last_loss, 0.1 + 0.2);
  EXPECT_EQ(restored.progress.first_step, 3);
  ASSERT_EQ(restored.progress.evals.size(), 1U);
  EXPECT_EQ(restored.progress.evals[0].value, 0.25);
}

TEST_P(CheckpointTest, AnyDamageIsDataLoss) {
  Toy job = toy();
  job.losses(1);
  const std::string good = save(job);
  ASSERT_TRUE(info_of(good).ok());
  for (size_t length = 0; length < good.size(); length += 13) {
    EXPECT_EQ(info_of(good.substr(0, length)).status().code(), Code::kDataLoss);
  }
  const size_t data = good.size() - size_t{3} * 16 * sizeof(float);
  for (size_t at = data; at < good.size(); at += 5) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_EQ(info_of(bad).status().code(), Code::kDataLoss);
  }
}

TEST_P(CheckpointTest, OfOtherParametersIsDataLoss) {
  Toy job = toy();
  const std::string bytes = save(job);
  const SafetensorsFile file = SafetensorsFile::over(bytes).value();
  std::vector<Parameter> others = {{"toy.shift", torch::zeros({4})}};
  const Status shape = check_checkpoint_tensors(file, others);
  EXPECT_EQ(shape.code(), Code::kDataLoss);
  EXPECT_THAT(shape.message(), HasSubstr("adapter.toy.shift is not of the shape [4]"));
  others = {{"toy.else", torch::zeros({4})}};
  EXPECT_EQ(check_checkpoint_tensors(file, others).code(), Code::kDataLoss);
}

// Every rank learns of it after the collectives, none waits.
TEST_P(CheckpointTest, AFolderThatIsGoneFailsOnRankZero) {
  Toy job = toy();
  const auto written = write_checkpoint(scratch_.path() / "none" / "checkpoint",
                                        {1, "", "", "", {}}, job.trainer.optimizer(), *test_gang());
  EXPECT_EQ(written.ok(), test_gang()->rank() != 0);
}

}  // namespace
}  // namespace prefixmem::trainer
