#include "worker/agent/gang/launcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "common/fd.h"
#include "common/files.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/gang/process_table.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;

class LauncherTest : public testing::Test {
 protected:
  // What `sh -c script` prints.
  std::string output_of(const std::string& script, std::vector<std::string> environment = {}) {
    const auto file = folder_.path() / "output";
    const Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const Command command{{"/bin/sh", "-c", script}, std::move(environment), "/", fd.get()};
    const auto pid = launcher_->start(command);
    EXPECT_TRUE(pid.ok()) << pid.status().message();
    last_ = launcher_->wait(*pid);
    return *read_file(file);
  }

  const TempFolder folder_;
  const std::unique_ptr<Launcher> launcher_ = std::move(*make_launcher());
  ProcessExit last_;
};

TEST_F(LauncherTest, SaysHowAProcessEnded) {
  output_of("exit 12");
  EXPECT_EQ(last_.code, 12);
  EXPECT_EQ(last_.signal, 0);
  output_of("kill -9 $$");
  EXPECT_EQ(last_.signal, SIGKILL);
}

TEST_F(LauncherTest, AddsToTheEnvironmentAndReplacesInIt) {
  setenv("OMP_TEST_A", "old", 1);
  setenv("OMP_TEST_B", "stays", 1);
  EXPECT_EQ(output_of("echo $OMP_TEST_A $OMP_TEST_B", {"OMP_TEST_A=new"}), "new stays\n");
}

TEST_F(LauncherTest, HandsOnNoVariableThatMayBeASecret) {
  setenv("PREFIXMEM_TOKEN", "pmt_secret", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  const std::string seen = output_of("env");
  EXPECT_THAT(seen, testing::HasSubstr("PATH="));
  EXPECT_THAT(seen, testing::Not(testing::HasSubstr("secret")));
}

TEST_F(LauncherTest, AJobRunsAsItsAccountAndDiesWithItsStarter) {
  if (geteuid() != 0) GTEST_SKIP() << "(root) only root becomes somebody else";
  const auto nobody = find_job_user("nobody");
  ASSERT_TRUE(nobody.ok()) << nobody.status().message();
  const auto launcher = std::move(*make_launcher(*nobody));
  const TempFolder temp;
  const auto file = temp.path() / "out";
  const Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const auto pid =
      launcher->start({{"/bin/sh", "-c", "id -un; id -G; echo $HOME $USER"}, {}, "/", fd.get()});
  ASSERT_TRUE(pid.ok()) << pid.status().message();
  EXPECT_EQ(launcher->wait(*pid).code, 0);
  EXPECT_EQ(*read_file(file),
            "nobody\n" + std::to_string(nobody->group) + "\n" + nobody->home + " nobody\n");
  pid_t left = 0;
  std::thread([&] { left = *launcher->start({{"/bin/sleep", "1000"}, {}, "/", fd.get()}); }).join();
  EXPECT_EQ(launcher->wait(left).signal, SIGKILL) << "the thread that started it is gone";
}

TEST(JobUser, IsAnAccountOfThisHost) {
  if (geteuid() != 0) GTEST_SKIP() << "(root) only root becomes somebody else";
  EXPECT_EQ(find_job_user("no-such-account").status().message(),
            "--job-user is no-such-account; allowed: an account of this host");
}

TEST(JobUser, IsGivenFilesButNotWhatTheyLinkTo) {
  if (geteuid() != 0) GTEST_SKIP() << "(root) only root becomes somebody else";
  const JobUser nobody = *find_job_user("nobody");
  const TempFolder temp, elsewhere;
  const auto secret = elsewhere.path() / "secret";
  ASSERT_TRUE(write_file_atomic(secret, "x").ok());
  ASSERT_TRUE(make_folders(temp.path() / "out" / "deep").ok());
  std::filesystem::create_symlink(secret, temp.path() / "out" / "deep" / "link");
  EXPECT_EQ(check_reach(temp.path(), nobody).code(), Code::kFailedPrecondition) << "it is 0700";
  ASSERT_TRUE(give(temp.path(), nobody).ok());
  EXPECT_TRUE(check_reach(temp.path() / "out" / "deep", nobody).ok());
  struct stat of{};
  ASSERT_EQ(stat(secret.c_str(), &of), 0);
  EXPECT_EQ(of.st_uid, 0u);
  EXPECT_THAT(check_reach(elsewhere.path(), nobody).message(),
              testing::HasSubstr("--job-user nobody may not read " + elsewhere.path().string()));
}

TEST_F(LauncherTest, BothStreamsGoToTheOutputAndNothingComesIn) {
  EXPECT_EQ(output_of("echo out; echo err >&2; cat; pwd"), "out\nerr\n/\n");
}

TEST_F(LauncherTest, HandsOnNoDescriptorAndNoBlockedSignal) {
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd open_here(fcntl(null.get(), F_DUPFD, 500));  // without FD_CLOEXEC
  sigset_t blocked, former;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &former);
  const auto pid = launcher_->start({{"/bin/sleep", "1000"}, {}, "/", 2});
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
  ASSERT_TRUE(pid.ok());
  const std::filesystem::path proc = "/proc/" + std::to_string(*pid);
  const auto descriptor = proc / "fd" / std::to_string(open_here.get());
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(descriptor)));
  EXPECT_THAT(*read_file(proc / "status"), HasSubstr("SigBlk:\t0000000000000000\n"));
  kill(*pid, SIGKILL);
  launcher_->wait(*pid);
}

TEST_F(LauncherTest, RemembersWhatItStartedUntilItIsWaitedFor) {
  const pid_t pid = *launcher_->start({{"/bin/true"}, {}, "/", 2});
  EXPECT_TRUE(launcher_->started(pid));
  launcher_->wait(pid);
  EXPECT_FALSE(launcher_->started(pid));
}

TEST_F(LauncherTest, SaysWhyAProgramCannotBeStarted) {
  const auto missing = launcher_->start({{"/nowhere/x"}, {}, "/", 2});
  EXPECT_EQ(missing.status().code(), Code::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr("starting /nowhere/x"));
  EXPECT_FALSE(launcher_->start({{"/bin/true"}, {}, "/nowhere", 2}).ok());
}

// A fork of this test is the agent that dies.
TEST_F(LauncherTest, AProcessDiesWithItsAgent) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd read_end(ends[0]), write_end(ends[1]);
  const pid_t agent = fork();
  if (agent == 0) {
    const auto launcher = make_launcher();
    const pid_t pid = *(*launcher)->start({{"/bin/sleep", "1000"}, {}, "/", 2});
    _exit(write(write_end.get(), &pid, sizeof pid) == sizeof pid ? 0 : 1);
  }
  pid_t pid = 0;
  ASSERT_EQ(read(read_end.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  const Fd watched(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U)));
  waitpid(agent, nullptr, 0);
  if (watched.valid()) {  // otherwise it has been collected already
    pollfd waiting{watched.get(), POLLIN, 0};
    EXPECT_EQ(poll(&waiting, 1, 60000), 1) << "the process outlives its agent";
  }
  waitpid(pid, nullptr, 0);
}

TEST(ProcessTable, FindsThisProcessAndItsEnvironment) {
  bool found = false;
  for (const Process& process : list_processes()) {
    if (process.pid != getpid()) continue;
    found = true;
    EXPECT_EQ(process.parent, getppid());
    EXPECT_GT(process.resident_bytes, 0);
    EXPECT_FALSE(process.dead());
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(has_environment(getpid(), "PATH="));
  EXPECT_FALSE(has_environment(getpid(), "ATH="));
  EXPECT_FALSE(has_environment(getpid(), "PREFIXMEM_NO_SUCH="));
}

TEST(FindProgram, ByPathAndByName) {
  EXPECT_EQ(*find_program("/bin/sh"), "/bin/sh");
  EXPECT_EQ(find_program("sh")->filename(), "sh");
  EXPECT_EQ(find_program("no-such-program").status().code(), Code::kNotFound);
  EXPECT_THAT(find_program("/nowhere/x").status().message(), HasSubstr("/nowhere/x"));
  const TempFolder folder;
  const auto file = folder.path() / "x";
  ASSERT_TRUE(write_file_atomic(file, "").ok());
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  EXPECT_EQ(find_program(file).status().code(), Code::kFailedPrecondition);
}

}  // namespace
}  // namespace prefixmem::agent
