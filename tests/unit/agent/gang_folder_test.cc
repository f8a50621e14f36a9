#include "worker/agent/attempt/gang_folder.h"

#include <gtest/gtest.h>

#include <csignal>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/attempt/attempt_folder.h"
#include "worker/agent/gang/launcher.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

const AttemptKey kKey{"job-abc", 2};

class GangFolderTest : public testing::Test {
 protected:
  GangFolder make(const AttemptKey& first = kKey) { return *GangFolder::create(work_, first); }
  pid_t start_in(const GangFolder& folder) {
    return *launcher_->start({{"/bin/sleep", "1000"}, {folder.mark()}, "/", 2});
  }

  const TempFolder temp_;
  const fs::path work_ = temp_.path();
  const std::unique_ptr<Launcher> launcher_ = std::move(*make_launcher());
};

TEST_F(GangFolderTest, EachGangHasItsOwn) {
  const GangFolder first = make({"job-abc", 1}), second = make();
  EXPECT_EQ(second.path(), work_ / "gangs/job-abc-2");
  EXPECT_NE(first.path(), second.path());
  EXPECT_NE(first.run(), second.run());
  EXPECT_NE(first.mark(), second.mark());
  EXPECT_EQ(second.mark(), "PREFIXMEM_GANG=" + second.path().string());
  ASSERT_TRUE(first.remove().ok());
  EXPECT_FALSE(fs::exists(first.path()));
  EXPECT_FALSE(fs::exists(first.run()));
  EXPECT_TRUE(fs::exists(second.run()));
  ASSERT_TRUE(second.remove().ok());
}

TEST_F(GangFolderTest, TheSocketsPathIsShortHoweverLongTheWorkFoldersIs) {
  const GangFolder folder = *GangFolder::create(work_ / std::string(200, 'd'), kKey);
  EXPECT_LE(folder.socket().string().size(), 107u);
  EXPECT_EQ(fs::read_symlink(folder.path() / "run"), folder.run());
  ASSERT_TRUE(folder.remove().ok());
  EXPECT_FALSE(fs::exists(folder.run()));
}

TEST_F(GangFolderTest, IsMadeAnew) {
  const GangFolder former = make();
  ASSERT_TRUE(write_file_atomic(former.bank(), "old").ok());
  const GangFolder folder = make();
  EXPECT_FALSE(fs::exists(folder.bank()));
  EXPECT_FALSE(fs::exists(former.run()));
  ASSERT_TRUE(folder.remove().ok());
}

TEST_F(GangFolderTest, ACleanUpKillsAndRemovesWhatACrashLeft) {
  const GangFolder folder = make();
  const AttemptFolder attempt = *AttemptFolder::create(work_, kKey);
  const pid_t pid = start_in(folder);
  ASSERT_TRUE(clean_up_after_crash(work_).ok());
  EXPECT_EQ(launcher_->wait(pid).signal, SIGKILL);
  EXPECT_FALSE(fs::exists(folder.path()));
  EXPECT_FALSE(fs::exists(folder.run()));
  EXPECT_TRUE(fs::is_empty(work_ / "gangs"));
  EXPECT_FALSE(fs::exists(attempt.path()));
  EXPECT_TRUE(fs::is_empty(work_ / "jobs"));
}

TEST_F(GangFolderTest, ACleanUpSparesOtherWorkFolders) {
  const TempFolder other;
  const GangFolder folder = *GangFolder::create(other.path(), kKey);
  const pid_t pid = start_in(folder);
  ASSERT_TRUE(clean_up_after_crash(work_).ok());
  EXPECT_EQ(kill(pid, SIGTERM), 0);
  EXPECT_EQ(launcher_->wait(pid).signal, SIGTERM);
  EXPECT_TRUE(fs::exists(folder.run()));
  ASSERT_TRUE(folder.remove().ok());
}

TEST_F(GangFolderTest, ACleanUpFollowsNoLinkThatIsNotItsOwn) {
  const GangFolder folder = make();
  const TempFolder precious;
  fs::remove(folder.path() / "run");
  fs::create_directory_symlink(precious.path(), folder.path() / "run");
  ASSERT_TRUE(clean_up_after_crash(work_).ok());
  EXPECT_TRUE(fs::exists(precious.path()));
  ASSERT_TRUE(folder.remove().ok());
}

}  // namespace
}  // namespace prefixmem::agent
