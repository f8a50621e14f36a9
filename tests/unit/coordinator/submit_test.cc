#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/proto/timestamps.h"
#include "common/spec/spec_io.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SubmitTest : public CoordinatorTest {
 protected:
  v1::SubmitJobResponse submit_as(const std::string& key, const JobSpec& spec) {
    auto response = coordinator().submit(spec, key);
    EXPECT_TRUE(response.ok()) << response.status().message();
    return response.ok() ? std::move(response).value() : v1::SubmitJobResponse();
  }
  size_t stored() { return coordinator().reader().list({}, 100)->jobs.size(); }
};

TEST_F(SubmitTest, AJobThatFitsIsAssignedAtOnce) {
  ASSERT_TRUE(connect("w", 2).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  const auto response = submit_as("", spec("a", "resources: {ranks: 2}"));
  ASSERT_EQ(response.jobs_size(), 1);
  EXPECT_EQ(response.sweep_id(), "");
  EXPECT_EQ(response.jobs(0).state(), v1::JOB_STATE_STARTING);
  EXPECT_EQ(response.jobs(0).worker_id(), "w");
  EXPECT_EQ(response.jobs(0).attempt(), 1);
  EXPECT_THAT(heard("w"), ElementsAre("assign a/1"));
  EXPECT_THAT(history("a"), ElementsAre("1 queued: submitted", "2 starting: 2 ranks on worker w"));
}

TEST_F(SubmitTest, TheAssignmentCarriesTheWholeSpec) {
  ASSERT_TRUE(connect("w", 4).ok());
  const JobSpec given = spec("a", "resources: {ranks: 3}\nlabels: {team: x}");
  submit_as("", given);
  const v1::Assign& assign = link("w")->sent.back().assign();
  EXPECT_EQ(assign.ranks(), 3);
  ASSERT_EQ(assign.attempts_size(), 1);
  EXPECT_EQ(assign.attempts(0).job_name(), "a");
  EXPECT_EQ(assign.attempts(0).spec_yaml(), to_yaml(given));
  EXPECT_FALSE(assign.attempts(0).has_resume_from());
}

TEST_F(SubmitTest, AStoredJobHasItsDefaultsFilledInAndItsTime) {
  submit("a");
  const v1::Job stored = job("a");
  EXPECT_TRUE(stored.id().starts_with("job-"));
  EXPECT_EQ(stored.spec().train().learning_rate(), 1e-3);
  EXPECT_EQ(from_timestamp(stored.create_time()), clock_.wall());
  EXPECT_FALSE(stored.has_start_time());
  EXPECT_EQ(stored.attempt(), 0);
}

TEST_F(SubmitTest, AJobThatDoesNotFitWaitsAndSaysWhy) {
  submit("a");
  EXPECT_EQ(state("a"), "queued: no worker is connected");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/1"));
  submit("b");
  EXPECT_EQ(state("b"), "queued: waits for 1 slot of one worker to be free");
  EXPECT_THAT(history("b"), ElementsAre("1 queued: submitted",
                                        "2 queued: waits for 1 slot of one worker to be free"));
}

TEST_F(SubmitTest, AWaitingJobWritesNothingWhileItsReasonStays) {
  submit("a");
  pass(Millis(5000));
  ASSERT_TRUE(connect("w", 1, {}, "cuda").ok());
  submit("b");
  pass(Millis(5000));
  EXPECT_EQ(history("b").size(), 2u);
}

TEST_F(SubmitTest, PriorityComesFirst) {
  ASSERT_TRUE(connect("w", 1).ok());
  submit("first", "priority: 5");
  submit("plain");
  submit("urgent", "priority: 5");
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  EXPECT_THAT(heard("w"),
              ElementsAre("registered", "assign first/1", "assign urgent/1", "end of first/1"));
}

TEST_F(SubmitTest, TheSameKeyAndSpecGiveTheSameJob) {
  const std::string id = submit_as("key", spec("a")).jobs(0).id();
  EXPECT_EQ(submit_as("key", spec("a")).jobs(0).id(), id);
  EXPECT_EQ(stored(), 1u);
  restart();
  EXPECT_EQ(submit_as("key", spec("a")).jobs(0).id(), id);
  ASSERT_TRUE(coordinator().cancel("a").ok());
  const auto ended = submit_as("key", spec("a"));
  EXPECT_EQ(ended.jobs(0).id(), id);
  EXPECT_EQ(ended.jobs(0).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(SubmitTest, TheSameKeyWithAnotherSpecIsRefused) {
  const std::string id = submit_as("key", spec("a")).jobs(0).id();
  const Status refused = coordinator().submit(spec("b"), "key").status();
  EXPECT_EQ(refused.to_string(),
            "FAILED_PRECONDITION: idempotency_key \"key\" was used for another spec (first job " +
                id + ")");
  EXPECT_EQ(stored(), 1u);
}

TEST_F(SubmitTest, WithoutAKeyEachCallIsAJob) {
  submit("a");
  submit("a");
  EXPECT_EQ(stored(), 2u);
}

TEST_F(SubmitTest, ASweepMakesAJobOfEachTrial) {
  ASSERT_TRUE(connect("w", 2).ok());
  const JobSpec sweep = spec("s", "sweep: {grid: {train.seed: [3, 4, 5]}}");
  const auto response = submit_as("key", sweep);
  EXPECT_TRUE(response.sweep_id().starts_with("sweep-"));
  ASSERT_EQ(response.jobs_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(response.jobs(i).name(), "s-" + std::to_string(i + 1));
    EXPECT_EQ(response.jobs(i).sweep_id(), response.sweep_id());
    EXPECT_EQ(response.jobs(i).spec().train().seed(), i + 3);
    EXPECT_EQ(response.jobs(i).spec().labels().at("sweep.train.seed"), std::to_string(i + 3));
    EXPECT_FALSE(response.jobs(i).spec().has_sweep());
  }
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign s-1/1", "assign s-2/1"));
  EXPECT_EQ(state("s-3"), "queued: waits for 1 slot of one worker to be free");

  const auto again = submit_as("key", sweep);
  EXPECT_EQ(again.SerializeAsString(), response.SerializeAsString());
  EXPECT_THAT(heard("w"), IsEmpty());
}

TEST_F(SubmitTest, ASweepWithABadTrialLeavesNothing) {
  JobSpec bad = spec("s");
  bad.sweep.emplace().grid = {{"train.seed", {"1", "x"}}};
  EXPECT_EQ(coordinator().submit(bad, "key").status().message(),
            "sweep trial 2: train.seed is x; allowed: a whole number of at least 0");
  EXPECT_EQ(stored(), 0u);
  submit_as("key", spec("a"));
}

}  // namespace
}  // namespace prefixmem
