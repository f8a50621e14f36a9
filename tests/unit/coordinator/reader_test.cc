// What has been written is read back.
#include "coordinator/store/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tests/unit/coordinator/records.h"

namespace prefixmem::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReaderTest : public StoreTest {
 protected:
  void insert(JobRecord record) {
    ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(record); }).ok());
  }
  void add(const v1::Artifact& artifact) {
    ASSERT_TRUE(write([&](Transaction& t) { t.add_artifact("job-1", artifact); }).ok());
  }
  std::vector<std::string> artifacts() {
    std::vector<std::string> texts;
    const auto found = *reader().artifacts("job-1");
    for (const v1::Artifact& a : found) {
      texts.push_back(a.path() + " " + a.sha256());
    }
    return texts;
  }
};

std::vector<int64_t> numbers(const std::vector<v1::JobEvent>& events) {
  std::vector<int64_t> numbers;
  for (const v1::JobEvent& event : events) numbers.push_back(event.number());
  return numbers;
}

TEST_F(ReaderTest, WhatIsNotThereIsAbsent) {
  EXPECT_FALSE(reader().job("job-1")->has_value());
  EXPECT_FALSE(reader().attempt("job-1", 1)->has_value());
  EXPECT_FALSE(reader().submission("key")->has_value());
  EXPECT_FALSE(reader().newest_checkpoint("job-1")->has_value());
  EXPECT_FALSE(reader().artifact_by_digest("job-1", "aa")->has_value());
  EXPECT_TRUE(reader().unfinished_jobs()->empty());
  EXPECT_TRUE(reader().count_by_state()->empty());
  EXPECT_TRUE(reader().trials("sweep-1")->empty());
}

// More at a time than there are connections.
TEST_F(ReaderTest, EveryCallSeesWhatWasCommittedBeforeIt) {
  std::atomic<int64_t> committed = 0;
  std::vector<std::future<bool>> readers;
  for (int i = 0; i < 8; ++i) {
    readers.push_back(std::async(std::launch::async, [&] {
      for (int64_t before = 0; before < 200; before = committed) {
        const auto found = reader().events("job-1", 1, 1000);
        if (!found.ok() || static_cast<int64_t>(found->size()) < before) return false;
      }
      return true;
    }));
  }
  for (int64_t number = 1; number <= 200; ++number) {
    EXPECT_TRUE(write([&](Transaction& t) { t.add_event(event("job-1", number)); }).ok());
    committed = number;
  }
  for (auto& all_seen : readers) EXPECT_TRUE(all_seen.get());
}

TEST_F(ReaderTest, AJobRecordComesBackAsItWasLastWritten) {
  JobRecord record = job_record("job-1");
  ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(record); }).ok());
  record.job.set_state(v1::JOB_STATE_RUNNING);
  record.job.mutable_progress()->set_loss(0.1);
  record.retries = 2;
  record.stop = unavailable("worker w is drained");
  record.last_event = 17;
  record.steps_timed = 5;
  record.step_seconds = 1.25;
  record.furthest_step = 4;
  record.run_time = Millis(1500);
  ASSERT_TRUE(write([&](Transaction& t) { t.update_job(record); }).ok());

  const auto back = *reader().unfinished_jobs();
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].seq, record.seq);
  EXPECT_EQ(back[0].job.SerializeAsString(), record.job.SerializeAsString());
  EXPECT_EQ(back[0].retries, 2);
  EXPECT_EQ(back[0].stop.to_string(), "UNAVAILABLE: worker w is drained");
  EXPECT_EQ(back[0].last_event, 17);
  EXPECT_EQ(back[0].steps_timed, 5);
  EXPECT_EQ(back[0].step_seconds, 1.25);
  EXPECT_EQ(back[0].furthest_step, 4);
  EXPECT_EQ(back[0].run_time, Millis(1500));
  EXPECT_EQ((*reader().job("job-1"))->SerializeAsString(), record.job.SerializeAsString());
}

TEST_F(ReaderTest, UnfinishedJobsAreThoseThatHaveNotEndedInTheOrderSubmitted) {
  insert(job_record("job-9", "a", v1::JOB_STATE_RUNNING));
  insert(job_record("job-b", "a", v1::JOB_STATE_SUCCEEDED));
  insert(job_record("job-5", "a", v1::JOB_STATE_STARTING));
  insert(job_record("job-c", "a", v1::JOB_STATE_FAILED));
  insert(job_record("job-d", "a", v1::JOB_STATE_CANCELLED));
  insert(job_record("job-1", "a", v1::JOB_STATE_QUEUED));
  std::vector<std::string> ids;
  const auto records = *reader().unfinished_jobs();
  for (const JobRecord& record : records) ids.push_back(record.job.id());
  EXPECT_THAT(ids, ElementsAre("job-9", "job-5", "job-1"));
}

TEST_F(ReaderTest, CountsByState) {
  for (const char* id : {"job-1", "job-2"}) insert(job_record(id));
  insert(job_record("job-3", "a", v1::JOB_STATE_FAILED));
  const std::map<v1::JobState, int64_t> expected = {{v1::JOB_STATE_QUEUED, 2},
                                                    {v1::JOB_STATE_FAILED, 1}};
  EXPECT_EQ(*reader().count_by_state(), expected);
}

TEST_F(ReaderTest, AnAttemptComesBackBeforeAndAfterItsEnd) {
  AttemptRecord attempt{.job_id = "job-1",
                        .attempt = 2,
                        .worker_id = "w",
                        .last_event = 7,
                        .start = from_unix_millis(1000)};
  ASSERT_TRUE(write([&](Transaction& t) { t.put_attempt(attempt); }).ok());
  auto back = *reader().attempt("job-1", 2);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->worker_id, "w");
  EXPECT_EQ(back->last_event, 7);
  EXPECT_EQ(back->start, from_unix_millis(1000));
  EXPECT_FALSE(back->end);

  attempt.end = from_unix_millis(2500);
  attempt.code = "UNAVAILABLE";
  attempt.message = "worker w was silent for 15.2 s";
  ASSERT_TRUE(write([&](Transaction& t) { t.put_attempt(attempt); }).ok());
  back = *reader().attempt("job-1", 2);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->end, from_unix_millis(2500));
  EXPECT_EQ(back->code, "UNAVAILABLE");
  EXPECT_EQ(back->message, "worker w was silent for 15.2 s");
  EXPECT_FALSE(reader().attempt("job-1", 1)->has_value());
}

TEST_F(ReaderTest, WorkersComeById) {
  v1::Worker worker;
  ASSERT_TRUE(write([&](Transaction& t) {
                for (const char* id : {"b", "a", "c"}) {
                  worker.set_id(id);
                  t.put_worker(worker);
                }
                worker.set_state("lost");
                t.put_worker(worker);
                t.drop_worker("a");
              }).ok());
  const auto workers = *reader().workers();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].id(), "b");
  EXPECT_EQ(workers[1].state(), "lost");
}

TEST_F(ReaderTest, ASubmissionIsFoundByItsKey) {
  ASSERT_TRUE(
      write([](Transaction& t) { t.add_submission({"k'ey", "digest", "sweep-1", "job-1"}); }).ok());
  const auto found = *reader().submission("k'ey");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->spec_sha256, "digest");
  EXPECT_EQ(found->sweep_id, "sweep-1");
  EXPECT_EQ(found->job_id, "job-1");
  EXPECT_FALSE(write([](Transaction& t) { t.add_submission({"k'ey", "other", "", ""}); }).ok());
}

TEST_F(ReaderTest, EventsAndLogsComeByRange) {
  ASSERT_TRUE(write([](Transaction& t) {
                t.add_event(event("job-2", 1));
                for (int64_t i = 1; i <= 6; ++i) {
                  t.add_event(i % 2 == 0 ? log_event("job-1", i) : event("job-1", i));
                }
              }).ok());
  EXPECT_THAT(numbers(*reader().events("job-1", 1, 100)), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(numbers(*reader().events("job-1", 0, 2)), ElementsAre(1, 2));
  EXPECT_THAT(numbers(*reader().events("job-1", 5, 100)), ElementsAre(5, 6));
  EXPECT_THAT(numbers(*reader().events("job-1", 7, 100)), IsEmpty());
  EXPECT_THAT(numbers(*reader().logs("job-1", 1, 100)), ElementsAre(2, 4, 6));
  EXPECT_THAT(numbers(*reader().logs("job-1", 3, 1)), ElementsAre(4));
  EXPECT_EQ((*reader().logs("job-1", 6, 1))[0].trainer().log().message(), "line 6");
}

TEST_F(ReaderTest, TheNewestVersionOfEachPathIsListed) {
  add(artifact("b", "bb1"));
  add(artifact("a", "aa1"));
  add(artifact("b", "bb2"));
  add(artifact("b", "bb3", 0, 2));
  EXPECT_THAT(artifacts(), ElementsAre("a aa1", "b bb3"));
  EXPECT_TRUE(reader().artifacts("job-2")->empty());
  const auto listed = *reader().artifacts("job-1");
  for (const v1::Artifact& newest : listed) {
    const auto found = reader().newest_version("job-1", newest.path());
    ASSERT_TRUE(found.ok() && found->has_value());
    EXPECT_EQ((*found)->sha256(), newest.sha256());
  }
  EXPECT_FALSE(reader().newest_version("job-1", "nothing")->has_value());
  EXPECT_FALSE(reader().newest_version("job-2", "a")->has_value());
}

TEST_F(ReaderTest, TheSameContentAgainIsNoNewVersion) {
  add(artifact("a", "old"));
  add(artifact("a", "new"));
  add(artifact("a", "old"));
  EXPECT_THAT(artifacts(), ElementsAre("a new"));
  add(artifact("a", "old", 0, 2));
  EXPECT_THAT(artifacts(), ElementsAre("a old"));
}

TEST_F(ReaderTest, TheNewestCheckpointIsTheOneOfTheHighestStepThenTheLastUploaded) {
  add(artifact("checkpoints/20", "c20", 20));
  add(artifact("checkpoints/10", "c10", 10));
  add(artifact("adapter", "a30", 30, 1, "adapter"));
  EXPECT_EQ((*reader().newest_checkpoint("job-1"))->sha256(), "c20");
  add(artifact("checkpoints/20", "again", 20, 2));
  EXPECT_EQ((*reader().newest_checkpoint("job-1"))->sha256(), "again");
  const auto two = reader().newest_checkpoints("job-1", 2).value();
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].sha256(), "again");
  EXPECT_EQ(two[1].sha256(), "c20");
}

TEST_F(ReaderTest, ArtifactsAreFoundByContent) {
  v1::Artifact stored = artifact("a", "aa", 3, 2);
  stored.set_bytes(12);
  add(stored);
  EXPECT_EQ((*reader().artifact_by_digest("job-1", "aa"))->bytes(), 12);
  EXPECT_FALSE(reader().artifact_by_digest("job-2", "aa")->has_value());
  EXPECT_EQ((*reader().same_artifact("job-1", artifact("a", "aa", 0, 2)))->bytes(), 12);
  EXPECT_FALSE(reader().same_artifact("job-1", artifact("a", "aa", 3, 1))->has_value());
  EXPECT_FALSE(reader().same_artifact("job-1", artifact("b", "aa", 3, 2))->has_value());
}

TEST_F(ReaderTest, SweepsArePagesWithTheCountsOfTheirTrials) {
  for (int i = 1; i <= 3; ++i) {
    v1::Sweep sweep;
    sweep.set_id("sweep-" + std::to_string(i));
    sweep.set_state(i == 2 ? v1::SWEEP_STATE_FINISHED : v1::SWEEP_STATE_RUNNING);
    ASSERT_TRUE(write([&](Transaction& t) { t.insert_sweep(sweep); }).ok());
  }
  for (const auto state : {v1::JOB_STATE_QUEUED, v1::JOB_STATE_STARTING, v1::JOB_STATE_RUNNING,
                           v1::JOB_STATE_CANCELLED}) {
    JobRecord job = job_record("job-" + std::to_string(state), "a", state);
    job.job.set_sweep_id("sweep-3");
    insert(job);
  }
  const auto first = *reader().sweeps(0, 2);
  ASSERT_EQ(first.sweeps.size(), 2u);
  EXPECT_EQ(first.sweeps[0].id(), "sweep-3");
  EXPECT_EQ(first.sweeps[0].trials().waiting(), 2);
  EXPECT_EQ(first.sweeps[0].trials().running(), 1);
  EXPECT_EQ(first.sweeps[0].trials().cancelled(), 1);
  const auto second = *reader().sweeps(first.next_seq, 2);
  ASSERT_EQ(second.sweeps.size(), 1u);
  EXPECT_EQ(second.sweeps[0].id(), "sweep-1");
  EXPECT_EQ(second.next_seq, 0);
  v1::Sweep ended = second.sweeps[0];
  ended.clear_trials();
  ended.set_state(v1::SWEEP_STATE_CANCELLED);
  ASSERT_TRUE(write([&](Transaction& t) { t.update_sweep(ended); }).ok());
  const auto unfinished = *reader().unfinished_sweeps();
  ASSERT_EQ(unfinished.size(), 1u);
  EXPECT_EQ(unfinished[0].id(), "sweep-3");
}

TEST_F(ReaderTest, ABodyThatCannotBeReadIsDataLoss) {
  insert(job_record("job-1"));
  auto other = Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other->execute("UPDATE jobs SET body = x'ff'").ok());
  EXPECT_EQ(reader().job("job-1").status().to_string(),
            "DATA_LOSS: store: a prefixmem.v1.Job cannot be read back");
}

}  // namespace
}  // namespace prefixmem::store
