// Slurm's answers, and what its programs are asked, through programs that stand for them.
#include "coordinator/provision/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::provision {
namespace {

using testing::HasSubstr;

TEST(SlurmAnswers, TheQueue) {
  const auto listed =
      parse_queue("7|PENDING\n8|RUNNING\n9|COMPLETING\n10|CONFIGURING\n11|SUSPENDED\n12|TIMEOUT\n");
  ASSERT_TRUE(listed.ok());
  std::string text;
  for (const auto& [id, state] : *listed)
    text += id + std::to_string(static_cast<int>(state)) + " ";
  EXPECT_EQ(text, "slurm:70 slurm:81 slurm:92 slurm:100 slurm:111 slurm:122 ");
  EXPECT_TRUE(parse_queue("")->empty());
  for (const char* wrong : {"7\n", "|RUNNING\n", "7_1|RUNNING\n", "error: none\n"}) {
    EXPECT_THAT(parse_queue(wrong).status().to_string(),
                HasSubstr("UNAVAILABLE: squeue answered \""))
        << wrong;
  }
}

TEST(SlurmAnswers, ASubmission) {
  EXPECT_EQ(*parse_submission("1234\n"), "slurm:1234");
  EXPECT_EQ(*parse_submission("1234;cluster\n"), "slurm:1234");
  for (const char* wrong : {"", "\n", "Submitted batch job 7\n", ";cluster"}) {
    EXPECT_EQ(parse_submission(wrong).status().code(), Code::kUnavailable) << wrong;
  }
}

// Each program writes its arguments to a file of its name and answers with what is asked for.
class SlurmTest : public testing::Test {
 protected:
  SlurmTest() : path_(std::getenv("PATH")) {
    program("squeue", "echo '5|RUNNING'");
    program("sbatch", "echo 6");
    program("scancel", "exit 0");
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  ~SlurmTest() override { setenv("PATH", path_.c_str(), 1); }

  void program(const std::string& name, const std::string& answer) {
    const auto file = folder_.path() / name;
    std::ofstream(file) << "#!/bin/sh\necho \"$*\" >" << (file.string() + ".said") << "\n"
                        << answer << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }
  std::string asked(const std::string& name) {
    return read_file(folder_.path() / (name + ".said")).value();
  }

  const TempFolder folder_;
  const std::string path_;
  const std::unique_ptr<BatchSystem> slurm_ =
      make_slurm({.script = "/etc/worker.sbatch", .arguments = {"--partition=gpu"}, .limits = {}},
                 "pmt-worker-x", {});
};

TEST_F(SlurmTest, AsksItsPrograms) {
  EXPECT_EQ(slurm_->list()->at(0).id, "slurm:5");
  EXPECT_EQ(asked("squeue"), "--noheader --me --name=pmt-worker-x --format=%i|%T\n");
  EXPECT_EQ(*slurm_->submit(), "slurm:6");
  EXPECT_EQ(asked("sbatch"),
            "--partition=gpu --parsable --no-requeue --job-name=pmt-worker-x /etc/worker.sbatch\n");
  EXPECT_TRUE(slurm_->cancel("slurm:6").ok());
  EXPECT_EQ(asked("scancel"), "6\n");
  EXPECT_TRUE(slurm_->withdraw("slurm:7").ok());
  EXPECT_EQ(asked("scancel"), "--state=PENDING 7\n");
}

TEST_F(SlurmTest, TellsWhatTheySayWhenTheyFail) {
  program("sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1");
  EXPECT_EQ(slurm_->submit().status().to_string(),
            "UNAVAILABLE: sbatch ended with code 1: sbatch: error: invalid partition");
}

}  // namespace
}  // namespace prefixmem::provision
