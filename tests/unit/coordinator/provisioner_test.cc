// A coordinator that brings its own workers, from a batch system that is told what to do.
#include "coordinator/provision/provisioner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/coordinator/service.h"

namespace prefixmem::provision {
namespace {

using scheduler::Allocation;
using scheduler::AllocationState;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct FakeBatch {
  std::map<std::string, AllocationState> there;
  std::vector<std::string> asked;
  Status failure;  // of every call
  Status refusal;  // of submissions
  int submitted = 0;
};

class FakeBatchSystem final : public BatchSystem {
 public:
  explicit FakeBatchSystem(FakeBatch& batch) : batch_(batch) {}

  Result<std::vector<Allocation>> list() override {
    PM_TRY(Status(batch_.failure));
    std::vector<Allocation> listed;
    for (const auto& [id, state] : batch_.there) listed.push_back({id, state});
    return listed;
  }
  Result<std::string> submit() override {
    PM_TRY(Status(batch_.failure));
    PM_TRY(Status(batch_.refusal));
    const std::string id = "slurm:" + std::to_string(++batch_.submitted);
    batch_.there[id] = AllocationState::kPending;
    batch_.asked.push_back("submit " + id);
    return id;
  }
  Status cancel(const std::string& id) override { return ask("cancel ", id); }
  Status withdraw(const std::string& id) override { return ask("withdraw ", id); }

 private:
  Status ask(const char* what, const std::string& id) {
    batch_.asked.push_back(what + id);
    return batch_.failure;
  }

  FakeBatch& batch_;
};

class ProvisionerTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    begin();
  }
  // As another process does.
  void begin() {
    const Config config{
        .script = {}, .arguments = {}, .limits = {.slots = 1, .most = 3, .most_pending = 3}};
    provisioner_ =
        std::make_unique<Provisioner>(config, std::make_unique<FakeBatchSystem>(batch_),
                                      Provisioner::World{coordinator(), metrics_, clock_});
  }
  // What the batch system was asked in a round, so long after the last.
  std::vector<std::string> round(Millis after = Millis(10'000)) {
    clock_.advance(after);
    batch_.asked.clear();
    provisioner_->round();
    return batch_.asked;
  }
  // The allocation has started, and its worker dials.
  void start(const std::string& id, const std::string& worker) {
    batch_.there[id] = AllocationState::kRunning;
    allocations_[worker] = id;
    ASSERT_TRUE(connect(worker, 1).ok());
  }
  std::string metrics() { return metrics_.text({}); }
  std::string worker_state() { return coordinator().workers().at(0).state(); }

  FakeBatch batch_;
  std::unique_ptr<Provisioner> provisioner_;
};

TEST_F(ProvisionerTest, AWorkerIsBroughtForAJobAndGivenBack) {
  EXPECT_THAT(round(), IsEmpty());
  submit("a");
  EXPECT_THAT(round(), ElementsAre("submit slurm:1"));
  EXPECT_THAT(round(), IsEmpty()) << "it is coming";
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_allocations{state=\"pending\"} 1"));
  start("slurm:1", "w");
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/1"));
  EXPECT_EQ(coordinator().workers().at(0).allocation(), "slurm:1");
  EXPECT_THAT(round(std::chrono::minutes(10)), IsEmpty()) << "it is busy";
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_allocations{state=\"running\"} 1"));
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_THAT(round(Millis(299'000)), IsEmpty());
  EXPECT_THAT(round(Millis(1'000)), ElementsAre("cancel slurm:1"));

  EXPECT_EQ(worker_state(), "draining");
  submit("b");
  heard("w");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered")) << "dialling again does not change that";
  EXPECT_THAT(round(), ElementsAre("cancel slurm:1", "submit slurm:2"));
  ASSERT_TRUE(heartbeat("w", {}, /*draining=*/true).ok());
  disconnect("w");
  EXPECT_THAT(coordinator().workers(), IsEmpty());
}

TEST_F(ProvisionerTest, ABusyWorkerIsNotReleased) {
  submit("a");
  round();
  start("slurm:1", "w");
  EXPECT_FALSE(coordinator().release("slurm:1"));
  EXPECT_EQ(worker_state(), "connected");
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_TRUE(coordinator().release("slurm:1"));
  EXPECT_TRUE(coordinator().release("slurm:9")) << "nobody is there";
}

TEST_F(ProvisionerTest, AWorkerThatComesAfterItsAllocationWasReleasedTakesNothing) {
  submit("a");
  round();
  EXPECT_TRUE(coordinator().release("slurm:1"));
  start("slurm:1", "w");
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  EXPECT_EQ(worker_state(), "draining");
  round();
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered")) << "while the allocation is listed";
}

TEST_F(ProvisionerTest, AnotherProcessFindsTheAllocations) {
  for (const char* name : {"a", "b"}) submit(name);
  EXPECT_THAT(round(), ElementsAre("submit slurm:1", "submit slurm:2"));
  start("slurm:1", "w");
  restart();
  begin();
  EXPECT_THAT(round(Millis(0)), IsEmpty()) << "one runs, one is coming";
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(round(), IsEmpty());
}

TEST_F(ProvisionerTest, ALostAllocationIsALostWorker) {
  submit("a");
  round();
  start("slurm:1", "w");
  batch_.there.clear();
  EXPECT_THAT(round(), IsEmpty()) << "its lease has not ended";
  pass(config_.grace + config_.scheduler.lease + Millis(200));
  EXPECT_THAT(history("a"), Contains(HasSubstr("retry 1 of 3")));
  EXPECT_THAT(round(), ElementsAre("submit slurm:2"));
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_allocation_failures_total 0"));
}

TEST_F(ProvisionerTest, AnAllocationThatEndsWithoutAWorkerIsAFailure) {
  submit("a");
  round();
  batch_.there.clear();
  EXPECT_THAT(round(), IsEmpty());
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_allocation_failures_total 1"));
  EXPECT_THAT(round(Millis(29'999)), IsEmpty());
  EXPECT_THAT(round(Millis(1)), ElementsAre("submit slurm:2"));
}

TEST_F(ProvisionerTest, ABatchSystemThatIsAwayIsAskedAgainLater) {
  submit("a");
  batch_.failure = unavailable("squeue ended with code 1: no controller");
  EXPECT_THAT(round(), IsEmpty());
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_up 0"));
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_errors_total{call=\"list\"} 1"));
  EXPECT_EQ(state("a"), "queued: no worker is connected");
  round();
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_errors_total{call=\"list\"} 2"));
  round();
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_errors_total{call=\"list\"} 2"))
      << "20 s";
  batch_.failure = {};
  EXPECT_THAT(round(), ElementsAre("submit slurm:1"));
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_up 1"));
}

TEST_F(ProvisionerTest, WhoIsRefusedIsDownUntilItIsTakenOrNothingIsWanted) {
  submit("a");
  batch_.refusal = unavailable("sbatch ended with code 1: invalid partition");
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(round(), IsEmpty());
    EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_up 0")) << "round " << i;
  }
  ASSERT_TRUE(coordinator().cancel("a").ok());
  round();
  EXPECT_THAT(metrics(), HasSubstr("prefixmem_provisioner_up 1"));
}

}  // namespace
}  // namespace prefixmem::provision
