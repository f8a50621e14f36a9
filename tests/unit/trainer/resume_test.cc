// Choosing a checkpoint, and the metrics file that goes with it.
#include "worker/trainer/train/resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "common/spec/spec_io.h"
#include "tests/unit/trainer/sft_task.h"
#include "tests/unit/trainer/toy_model.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/train/metrics_file.h"
#include "worker/trainer/train/output.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

const char* const kSpec = "name: a\ntrain: {seed: 1, eval_every: 0}\nmodel: m\n";

// In place of fs::remove_all, of which LibTorch exports a broken copy.
void remove_tree(const fs::path& path) {
  if (fs::is_directory(path)) {
    std::vector<fs::path> children;
    for (const auto& entry : fs::directory_iterator(path)) children.push_back(entry.path());
    for (const auto& child : children) remove_tree(child);
  }
  fs::remove(path);
}

class ResumeTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { remove_tree(folder_); }

  fs::path save(int64_t step, const std::string& spec = kSpec) {
    const auto path = checkpoint_path(folder_, step);
    const CheckpointInfo info{step, "machine", spec, "rows", {}};
    EXPECT_TRUE(write_checkpoint(path, info, trainer_.optimizer(), *alone_).ok());
    return path;
  }
  Result<ResumeChoice> choose(const std::string& machine = "machine") {
    return choose_resume_point(folder_, {kSpec, "rows", machine});
  }

  const fs::path folder_ = fs::temp_directory_path() / ("resume_test_" + std::to_string(getpid()));
  std::unique_ptr<Collective> alone_ = make_single_collective(torch::kCPU);
  TrainSpec spec_;
  std::vector<Example> rows_ = toy_rows(3);
  ToyDecoder model_;
  ToyAdapter adapter_{ToyDecoder::kHidden};
  Trainer trainer_{sft_task(spec_, rows_), model_, adapter_, *alone_};
};

TEST_F(ResumeTest, NothingThereStartsFromTheBeginning) {
  const auto choice = choose();
  ASSERT_TRUE(choice.ok());
  EXPECT_FALSE(choice->point.has_value());
  EXPECT_THAT(choice->warnings, IsEmpty());
}

TEST_F(ResumeTest, TakesTheNewest) {
  save(9);
  save(10);
  save(100000000);
  EXPECT_EQ(choose()->point->info.step, 100000000);
}

TEST_F(ResumeTest, FallsBackFromADamagedOneAndSaysSo) {
  save(9);
  const auto newest = save(10);
  fs::resize_file(newest, fs::file_size(newest) - 1);
  const auto choice = choose();
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->point->info.step, 9);
  ASSERT_EQ(choice->warnings.size(), 1U);
  EXPECT_THAT(choice->warnings[0], HasSubstr(newest.string() + " is damaged"));
}

TEST_F(ResumeTest, RefusesAnotherJobNamingTheKeys) {
  save(10, "name: b\ntrain: {seed: 2, eval_every: 5}\nmodel: other\n");
  const auto choice = choose();
  EXPECT_EQ(choice.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(choice.status().message(), HasSubstr("whose spec differs in model, train.seed"));
}

TEST_F(ResumeTest, KeysThatHaveComeSinceAreAtTheirDefaults) {
  const std::string older =
      "{name: a, model: m, method: lora, data: {train: rows}, train: {max_steps: 3}}";
  save(10, older);
  JobSpec spec = *parse_job_spec(older);
  EXPECT_TRUE(choose_resume_point(folder_, {to_yaml(spec), "rows", "machine"}).ok());
  spec.train.weight_decay += 1;
  EXPECT_THAT(choose_resume_point(folder_, {to_yaml(spec), "rows", "machine"}).status().message(),
              HasSubstr("whose spec differs in train.weight_decay"));
}

TEST_F(ResumeTest, RefusesOtherRows) {
  save(10);
  const auto choice = choose_resume_point(folder_, {kSpec, "other rows", "machine"});
  EXPECT_EQ(choice.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(choice.status().message(), HasSubstr("the data file has changed"));
}

TEST_F(ResumeTest, AnotherMachineIsAWarning) {
  save(10);
  const auto choice = choose("another machine");
  ASSERT_TRUE(choice.ok());
  EXPECT_TRUE(choice->point.has_value());
  EXPECT_THAT(choice->warnings, ElementsAre(HasSubstr("machine before, another machine now")));
}

TEST_F(ResumeTest, AnotherMachineIsRefusedWhereBitsCount) {
  save(10);
  const auto choice = choose_resume_point(folder_, {kSpec, "rows", "another machine", true});
  EXPECT_EQ(choice.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(choice.status().message(), HasSubstr("machine before, another machine now"));
  EXPECT_TRUE(choose_resume_point(folder_, {kSpec, "rows", "machine", true}).ok());
}

TEST_F(ResumeTest, AnotherJobGoesOnWithoutWhatWasSummedUp) {
  const std::string spec = "name: b\ntrain: {seed: 1, learning_rate: 2, max_steps: 40}\nmodel: m\n";
  const auto path = checkpoint_path(folder_, 20);
  CheckpointInfo info{20, "machine", kSpec, "rows", {}};
  info.progress.tokens = 7;
  ASSERT_TRUE(write_checkpoint(path, info, trainer_.optimizer(), *alone_).ok());
  const auto choice = choose_continuation(path, {spec, "rows", "machine"});
  ASSERT_TRUE(choice.ok()) << choice.status().message();
  EXPECT_EQ(choice->point->info.step, 20);
  EXPECT_EQ(choice->point->info.progress.tokens, 0);
  EXPECT_THAT(choice->warnings, IsEmpty());
}

TEST_F(ResumeTest, AnotherJobIsNotAnotherTask) {
  const auto path = save(20);
  const std::string other = "name: b\ntrain: {seed: 2}\nmodel: m\nmethod: {dropout: 0.5, r: 4}\n";
  const Status refused = choose_continuation(path, {other, "rows", "machine"}).status();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr(" differs in train.seed, method.r; allowed: train."));
  EXPECT_EQ(choose_continuation(path, {kSpec, "other rows", "machine"}).status().code(),
            Code::kFailedPrecondition);
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_EQ(choose_continuation(path, {kSpec, "rows", "machine"}).status().code(), Code::kDataLoss);
}

TEST_F(ResumeTest, PruningKeepsTheNewest) {
  for (const int64_t step : {1, 2, 3, 4}) save(step);
  ASSERT_TRUE(prune_checkpoints(folder_, 2).ok());
  EXPECT_THAT(list_checkpoints(folder_),
              ElementsAre(checkpoint_path(folder_, 4), checkpoint_path(folder_, 3)));
}

TEST_F(ResumeTest, MetricsGoOnWhereTheCheckpointStands) {
  const auto path = folder_ / "metrics.jsonl";
  std::ofstream(path) << "{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":2}\n{\"step\":3}\n{\"st";
  {
    auto metrics = MetricsFile::open(path, 2);
    ASSERT_TRUE(metrics.ok());
    StepEvent event;
    event.step = 3;
    ASSERT_TRUE((*metrics)->append(event).ok());
  }
  std::ifstream stream(path);
  std::vector<int64_t> steps;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream(line.substr(8)) >> steps.emplace_back();
  }
  EXPECT_THAT(steps, ElementsAre(1, 2, 3));
}

TEST_F(ResumeTest, AFolderWithARunNeedsResume) {
  const auto out = folder_ / "out";
  EXPECT_TRUE(prepare_output(out, false).ok());
  EXPECT_TRUE(prepare_output(out, false).ok());
  std::ofstream(out / "metrics.jsonl") << "{\"step\":1}\n";
  const Status again = prepare_output(out, false);
  EXPECT_EQ(again.code(), Code::kFailedPrecondition);
  EXPECT_THAT(again.message(), HasSubstr("already holds a run"));
  EXPECT_TRUE(prepare_output(out, true).ok());
}

}  // namespace
}  // namespace prefixmem::trainer
