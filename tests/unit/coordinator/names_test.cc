// Names of jobs in the specs of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sha256.h"
#include "coordinator/core/content_files.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;

// Job "a" is assigned to worker "w".
class JobNames : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 1).ok());
    submit("a");
  }
  void make(const std::string& path, const std::string& bytes) { bring("a/1", path, bytes); }
  void make(const v1::Artifact& file, const std::string& bytes) { bring("a/1", file, bytes); }
  void make_adapter() {
    make("adapter/adapter_config.json", "{}");
    make("adapter/adapter_model.safetensors", "weights");
    make("result.json", "[]");
  }
  void make_model() {
    make("adapter/config.json", "{}");
    make("adapter/model.safetensors", "weights");
  }
  void succeed() { ASSERT_TRUE(ended("w", "a/1", "OK").ok()); }

  Status start_from(const std::string& named) {
    return coordinator()
        .submit(spec("b", "method: {type: lora, init: \"" + named + "\"}"), "")
        .status();
  }
  Status train_on(const std::string& model, const std::string& rows = "/t") {
    JobSpec wanted = spec("b");
    wanted.model = model;
    wanted.data.train = rows;
    return coordinator().submit(wanted, "").status();
  }
};

TEST_F(JobNames, TheBestAdapterIsWhereAnotherJobStarts) {
  make_adapter();
  for (const int64_t step : {10, 20}) {
    v1::Artifact file;
    file.set_path("best_adapter/step-" + std::to_string(step) + "/adapter_model.safetensors");
    file.set_kind("best_adapter");
    file.set_step(step);
    make(file, "weights of step " + std::to_string(step));
    if (step > 10) break;  // the second is not whole when the job ends
    v1::TrainerEvent event;
    event.mutable_artifact()->set_kind("best_adapter");
    event.mutable_artifact()->set_step(step);
    ASSERT_TRUE(events("w", "a/1", 1, {event}).ok());
    coordinator().tick();
  }
  succeed();
  EXPECT_EQ(job("a").progress().best_adapter_step(), 10);
  ASSERT_TRUE(start_from("job://a/best").ok());
  const auto files = content_files(coordinator().reader(), store().blobs(),
                                   job("b").spec().method().lora().init());
  ASSERT_TRUE(files.ok()) << files.status().message();
  EXPECT_EQ(*files,
            (FolderList{{"adapter_model.safetensors", 18, sha256_hex("weights of step 10")}}));
}

TEST_F(JobNames, AJobThatKeptNoBestAdapterHasNone) {
  make_adapter();
  succeed();
  EXPECT_THAT(start_from("job://a/best").message(),
              HasSubstr("(a) has kept no best adapter; allowed: a job with train.keep_best"));
}

TEST_F(JobNames, AnAdapterIsWhereAnotherJobStarts) {
  make_adapter();
  succeed();
  ASSERT_TRUE(start_from("job://a").ok());
  const std::string named = job("b").spec().method().lora().init();
  const FolderList expected{{"adapter_config.json", 2, sha256_hex("{}")},
                            {"adapter_model.safetensors", 7, sha256_hex("weights")}};
  EXPECT_EQ(named, "content://" + sha256_hex(print_folder_list(expected)) + "/a/");
  const auto files = content_files(coordinator().reader(), store().blobs(), named);
  ASSERT_TRUE(files.ok()) << files.status().message();
  EXPECT_EQ(*files, expected);
  ASSERT_TRUE(start_from("job://" + job("a").id()).ok()) << "by its id, and again";
}

TEST_F(JobNames, AWholeModelIsAModel) {
  make_model();
  succeed();
  ASSERT_TRUE(train_on("job://a").ok());
  EXPECT_THAT(job("b").spec().model(), testing::EndsWith("/a/"));
  const Status refused = start_from("job://a");
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("(a) has trained a whole model; allowed: "));
}

TEST_F(JobNames, AnAdapterIsNothingElse) {
  make_adapter();
  succeed();
  EXPECT_THAT(train_on("job://a").message(),
              HasSubstr("model: job " + job("a").id() + " (a) has trained an adapter; allowed: "));
  EXPECT_EQ(train_on("/m", "job://a").code(), Code::kInvalidArgument);
}

TEST_F(JobNames, OfJobsThatHaveSucceededAlone) {
  make_adapter();
  const Status early = start_from("job://a");
  EXPECT_EQ(early.code(), Code::kFailedPrecondition);
  EXPECT_THAT(early.message(), HasSubstr("; allowed: a job that has succeeded"));
  ASSERT_TRUE(ended("w", "a/1", "INVALID_ARGUMENT", "no rows").ok());
  EXPECT_EQ(start_from("job://a").code(), Code::kFailedPrecondition);
  EXPECT_EQ(start_from("job://c").code(), Code::kNotFound);
  EXPECT_EQ(start_from("job://a/adapter").code(), Code::kInvalidArgument);
}

TEST_F(JobNames, OfJobsThatHaveTrainedSomething) {
  make("result.json", "[]");
  succeed();
  EXPECT_THAT(start_from("job://a").message(), HasSubstr("(a) has trained nothing; allowed: "));
}

TEST_F(JobNames, ACheckpointIsWhereAnotherJobGoesOn) {
  JobSpec wanted = spec("b");
  wanted.train.continue_from = "job://a";
  EXPECT_THAT(coordinator().submit(wanted, "").status().message(),
              HasSubstr("has no checkpoint in the store; allowed: jobs that have"));
  ASSERT_TRUE(upload("a/1", 10, "older").ok());
  ASSERT_TRUE(upload("a/1", 20, "newer").ok());
  ASSERT_TRUE(coordinator().submit(wanted, "").ok()) << "of a job that still runs, too";
  const std::string named = job("b").spec().train().continue_from();
  EXPECT_EQ(named, "content://" + sha256_hex("newer") + "/step-20");
  const auto files = content_files(coordinator().reader(), store().blobs(), named);
  ASSERT_TRUE(files.ok()) << files.status().message();
}

}  // namespace
}  // namespace prefixmem
