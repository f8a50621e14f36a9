#include "worker/agent/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/files.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/agent/gang_script.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;

class AgentTest : public testing::Test {
 protected:
  AgentTest() {
    options_.coordinator = coordinator_.address();
    options_.work_dir = folder_.path() / "work";
    options_.slots = 2;
    options_.allocation = "slurm:7";
    options_.device = "cpu";
    options_.trainer = "/bin/true";
    options_.mpirun =
        write_script(folder_.path() / "mpirun", "Rank().log('runs'); wait_for_signals()");
    options_.backoff = {Millis(1), Millis(5), 2, 0};
    options_.shut_down_grace = Millis(0);
  }
  // The failure of a start with the options as they are.
  Status refused() const { return Agent::start(options_).status(); }

  const TempFolder folder_;
  FakeCoordinator coordinator_;
  AgentOptions options_;
};

TEST_F(AgentTest, RegistersUnderTheSameIdAfterARestart) {
  std::string id;
  for (int life = 0; life < 2; ++life) {
    const auto agent = Agent::start(options_);
    ASSERT_TRUE(agent.ok()) << agent.status().message();
    const v1::Register message = coordinator_.next_register();
    EXPECT_EQ(message.worker_id(), (*agent)->worker_id());
    EXPECT_EQ(message.metrics_address(), (*agent)->metrics_address());
    EXPECT_EQ(message.slots(), 2);
    EXPECT_EQ(message.allocation(), "slurm:7");
    if (life == 1) {
      EXPECT_EQ(message.worker_id(), id);
    }
    id = message.worker_id();
  }
}

TEST_F(AgentTest, StopsItsGangsAndTellsTheCoordinatorBeforeItLeaves) {
  auto agent = Agent::start(options_);
  ASSERT_TRUE(agent.ok());
  const auto id = attempt_id("job-a", 1);
  coordinator_.next_register();
  coordinator_.welcome();
  coordinator_.assign(id);
  coordinator_.acknowledge(id, coordinator_.next_events().first_number());
  std::thread stopping([&] { (*agent)->stop(); });
  const auto ended = coordinator_.next_ended();
  EXPECT_EQ(ended.code(), "UNAVAILABLE");
  EXPECT_THAT(ended.message(), HasSubstr("is shutting down"));
  coordinator_.acknowledge_end(id);
  stopping.join();
  EXPECT_TRUE((*agent)->failure().ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "work/jobs/job-a"));
}

TEST_F(AgentTest, StartsWithoutACoordinator) {
  coordinator_.stop();
  EXPECT_TRUE(Agent::start(options_).ok());
}

TEST_F(AgentTest, AWorkFolderHasOneAgent) {
  const auto first = Agent::start(options_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(refused().code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused().message(), HasSubstr((folder_.path() / "work").string()));
}

TEST_F(AgentTest, NamesTheOptionThatIsWrong) {
  const AgentOptions good = options_;
  const auto says = [&](const std::string& words) {
    EXPECT_THAT(refused().message(), HasSubstr(words));
    options_ = good;
  };
  options_.slots = -1;
  says("--slots is -1; allowed: a whole number from 0 to 4096");
  options_.threads_per_rank = 5000;
  says("--threads-per-rank is 5000");
  options_.metrics_retention_seconds = -2;
  says("--metrics-retention-seconds is -2");
  options_.coordinator = "nonsense";
  says("--coordinator is nonsense; allowed: HOST:PORT");
  options_.coordinator = "127.0.0.1:0";
  says("--coordinator is 127.0.0.1:0; allowed: HOST:PORT with a port from 1");
  options_.metrics = "127.0.0.1:x";
  says("--metrics is 127.0.0.1:x");
  options_.metrics = coordinator_.address();
  says("cannot listen on " + coordinator_.address());
  options_.tls.ca = "/nowhere/ca.crt";
  says("--tls-ca: opening /nowhere/ca.crt: No such file");
  options_.tls.key = "/k";
  says("--tls-cert and --tls-key are given without --tls-ca");
  options_.device = "tpu";
  says("--device is tpu; allowed: auto, cpu, cuda");
  options_.trainer = "/nowhere/pmt-trainer";
  says("--trainer: program /nowhere/pmt-trainer is not there");
  options_.mpirun = "no-such-mpirun";
  says("--mpirun: program no-such-mpirun is not there");
  options_.work_dir = "";
  says("--work-dir is empty");
}

}  // namespace
}  // namespace prefixmem::agent
