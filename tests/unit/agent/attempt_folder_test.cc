#include "worker/agent/attempt/attempt_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/gang/launcher.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const AttemptKey kKey{"job-abc", 2};

class AttemptFolderTest : public testing::Test {
 protected:
  AttemptFolder make(const AttemptKey& key = kKey) { return *AttemptFolder::create(work_, key); }

  const TempFolder temp_;
  const fs::path work_ = temp_.path();
};

TEST_F(AttemptFolderTest, EachAttemptHasItsOwn) {
  const AttemptFolder first = make({"job-abc", 1}), second = make();
  EXPECT_EQ(second.path(), work_ / "jobs/job-abc/2");
  EXPECT_TRUE(fs::is_directory(second.out() / "checkpoints"));
  EXPECT_NE(first.path(), second.path());
  EXPECT_NE(first.run(), second.run());
  EXPECT_NE(first.mark(), second.mark());
  EXPECT_EQ(second.mark(), "PREFIXMEM_GANG=" + second.path().string());
  ASSERT_TRUE(first.remove().ok());
  EXPECT_FALSE(fs::exists(first.path()));
  EXPECT_TRUE(fs::exists(second.path()));
  ASSERT_TRUE(second.remove().ok());
  EXPECT_FALSE(fs::exists(work_ / "jobs/job-abc")) << "the job's folder stays empty";
}

TEST_F(AttemptFolderTest, TheSocketsPathIsShortHoweverLongTheWorkFoldersIs) {
  const fs::path deep = work_ / std::string(200, 'd');
  const AttemptFolder folder = *AttemptFolder::create(deep, kKey);
  EXPECT_LE(folder.socket().string().size(), 107u);
  EXPECT_EQ(fs::read_symlink(folder.path() / "run"), folder.run());
  ASSERT_TRUE(folder.remove().ok());
  EXPECT_FALSE(fs::exists(folder.run()));
}

TEST_F(AttemptFolderTest, IsMadeAnew) {
  const AttemptFolder former = make();
  ASSERT_TRUE(write_file_atomic(former.out() / "metrics.jsonl", "old").ok());
  const AttemptFolder folder = make();
  EXPECT_FALSE(fs::exists(folder.out() / "metrics.jsonl"));
  EXPECT_FALSE(fs::exists(former.run()));
  ASSERT_TRUE(folder.remove().ok());
}

TEST_F(AttemptFolderTest, ACleanUpKillsAndRemovesWhatACrashLeft) {
  const AttemptFolder folder = make();
  const auto launcher = make_launcher();
  ASSERT_TRUE(launcher.ok());
  const pid_t pid = *(*launcher)->start({{"/bin/sleep", "1000"}, {folder.mark()}, "/", 2});
  ASSERT_TRUE(clean_up_after_crash(work_).ok());
  EXPECT_EQ((*launcher)->wait(pid).signal, SIGKILL);
  EXPECT_FALSE(fs::exists(folder.path()));
  EXPECT_FALSE(fs::exists(folder.run()));
  EXPECT_TRUE(fs::is_empty(work_ / "jobs"));
}

TEST_F(AttemptFolderTest, ACleanUpSparesOtherWorkFolders) {
  const TempFolder other;
  const AttemptFolder folder = *AttemptFolder::create(other.path(), kKey);
  const auto launcher = make_launcher();
  ASSERT_TRUE(launcher.ok());
  const pid_t pid = *(*launcher)->start({{"/bin/sleep", "1000"}, {folder.mark()}, "/", 2});
  ASSERT_TRUE(clean_up_after_crash(work_).ok());
  EXPECT_EQ(kill(pid, SIGTERM), 0);
  EXPECT_EQ((*launcher)->wait(pid).signal, SIGTERM);
  EXPECT_TRUE(fs::exists(folder.run()));
  ASSERT_TRUE(folder.remove().ok());
}

TEST_F(AttemptFolderTest, ACleanUpFollowsNoLinkThatIsNotItsOwn) {
  const AttemptFolder folder = make();
  const TempFolder precious;
  fs::remove(folder.path() / "run");
  fs::create_directory_symlink(precious.path(), folder.path() / "run");
  ASSERT_TRUE(clean_up_after_crash(work_).ok());
  EXPECT_TRUE(fs::exists(precious.path()));
  ASSERT_TRUE(folder.remove_run().ok());
}

Assignment assignment() {
  Assignment out;
  out.key = kKey;
  out.ranks = 2;
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
  Assignment bad = assignment();
  bad.ranks = 0;
  EXPECT_THAT(check(bad).message(), HasSubstr("ranks is 0; allowed: at least 1"));
}

}  // namespace
}  // namespace prefixmem::agent
