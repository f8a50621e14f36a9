#include "worker/agent/attempt/attempt_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const AttemptKey kKey{"job-abc", 2};

TEST(AttemptFolder, EachAttemptHasItsOwn) {
  const TempFolder temp;
  const fs::path& work = temp.path();
  const AttemptFolder first = *AttemptFolder::create(work, {"job-abc", 1});
  const AttemptFolder second = *AttemptFolder::create(work, kKey);
  EXPECT_EQ(second.path(), work / "jobs/job-abc/2");
  EXPECT_TRUE(fs::is_directory(second.out() / "checkpoints"));
  EXPECT_NE(first.path(), second.path());
  ASSERT_TRUE(first.remove().ok());
  EXPECT_FALSE(fs::exists(first.path()));
  EXPECT_TRUE(fs::exists(second.path()));
  ASSERT_TRUE(second.remove().ok());
  EXPECT_FALSE(fs::exists(work / "jobs/job-abc")) << "the job's folder stays empty";
}

TEST(AttemptFolder, IsMadeAnew) {
  const TempFolder temp;
  const AttemptFolder former = *AttemptFolder::create(temp.path(), kKey);
  ASSERT_TRUE(write_file_atomic(former.out() / "metrics.jsonl", "old").ok());
  const AttemptFolder folder = *AttemptFolder::create(temp.path(), kKey);
  EXPECT_FALSE(fs::exists(folder.out() / "metrics.jsonl"));
}

Assignment assignment() {
  Assignment out;
  out.key = kKey;
  return out;
}

TEST(CheckAssignment, TakesWhatStaysInside) {
  Assignment good = assignment();
  EXPECT_TRUE(check(good).ok());
  good.resume_from = Artifact{"checkpoints/step-5.safetensors", "checkpoint", 5, 1, ""};
  EXPECT_TRUE(check(good).ok());
}

TEST(CheckAssignment, RefusesWhatLeadsOut) {
  for (const char* id : {"", "..", "a/b", "a b"}) {
    Assignment bad = assignment();
    bad.key.job_id = id;
    EXPECT_EQ(check(bad).code(), Code::kInvalidArgument) << id;
    EXPECT_THAT(check(bad).message(), HasSubstr("job id is \"" + std::string(id) + "\""));
  }
  for (const char* path : {"", "/etc/passwd", "../../x", "checkpoints/../../x"}) {
    Assignment bad = assignment();
    bad.resume_from = Artifact{path, "checkpoint", 5, 1, ""};
    EXPECT_THAT(check(bad).message(), HasSubstr("resume_from.path is \"" + std::string(path)));
  }
}

}  // namespace
}  // namespace prefixmem::agent
