// The coordinator's exposition text.
#include "coordinator/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string line(const std::string& text) { return "\n" + text + "\n"; }

v1::Worker worker(const std::string& id, const std::string& state) {
  v1::Worker worker;
  worker.set_id(id);
  worker.set_state(state);
  worker.set_slots(4);
  worker.set_used_slots(3);
  worker.set_heartbeat_age_seconds(1.5);
  return worker;
}

TEST(Metrics, EveryFamilyIsThereFromTheStart) {
  const Metrics metrics;
  const std::string text = metrics.text({});
  for (const char* family :
       {"prefixmem_job_wait_seconds histogram", "prefixmem_job_run_seconds histogram",
        "prefixmem_coordinator_build_info gauge", "prefixmem_store_commit_seconds histogram",
        "prefixmem_events_committed_total counter", "prefixmem_jobs gauge",
        "prefixmem_queue_depth gauge", "prefixmem_workers gauge", "prefixmem_worker_slots gauge",
        "prefixmem_worker_used_slots gauge", "prefixmem_worker_gangs gauge",
        "prefixmem_worker_heartbeat_age_seconds gauge"}) {
    EXPECT_THAT("\n" + text, HasSubstr("\n# TYPE " + std::string(family) + "\n"));
  }
}

TEST(Metrics, EveryStateHasASeries) {
  const std::string text = Metrics().text({.jobs = {{v1::JOB_STATE_RUNNING, 2}}, .workers = {}});
  for (const char* state : {"queued", "starting", "succeeded", "failed", "cancelled"}) {
    EXPECT_THAT(text, HasSubstr(line("prefixmem_jobs{state=\"" + std::string(state) + "\"} 0")));
  }
  EXPECT_THAT(text, HasSubstr(line("prefixmem_jobs{state=\"running\"} 2")));
  EXPECT_THAT(text, Not(HasSubstr("unspecified")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_queue_depth 0")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"connected\"} 0")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"disconnected\"} 0")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"draining\"} 0")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"lost\"} 0")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"unhealthy\"} 0")));
}

TEST(Metrics, JobsThatWaitForOthersDoNotWaitToBePlaced) {
  const std::string text =
      Metrics().text({.jobs = {{v1::JOB_STATE_QUEUED, 5}}, .workers = {}, .dependents = 2});
  EXPECT_THAT(text, HasSubstr(line("prefixmem_queue_depth 3")));
}

TEST(Metrics, WorkersAndTheQueueAreThoseOfTheMoment) {
  const Metrics metrics;
  const std::string text = metrics.text(
      {.jobs = {{v1::JOB_STATE_QUEUED, 5}},
       .workers = {worker("a", "connected"), worker("b", "lost"), worker("c", "draining")}});
  EXPECT_THAT(text, HasSubstr(line("prefixmem_queue_depth 5")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"connected\"} 1")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"draining\"} 1")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_workers{state=\"lost\"} 1")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_worker_slots{worker=\"a\"} 4")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_worker_used_slots{worker=\"b\"} 3")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_worker_heartbeat_age_seconds{worker=\"a\"} 1.5")));
  EXPECT_THAT(metrics.text({}), Not(HasSubstr("worker=\"a\""))) << "a forgotten one has no series";
}

v1::Job placed(const std::string& id, const std::string& sweep) {
  v1::Job job;
  job.set_id(id);
  job.set_name("n");
  job.set_sweep_id(sweep);
  job.set_gang("job-a/1");
  job.set_worker_id("w");
  return job;
}

TEST(Metrics, PlacedJobsTellWhereTheyBelong) {
  v1::Job job = placed("job-a", "sweep-1");
  (*job.mutable_spec()->mutable_labels())["team"] = "red";
  (*job.mutable_spec()->mutable_labels())["cost-centre"] = "7";
  (*job.mutable_spec()->mutable_labels())["cost.centre"] = "8";
  const std::string text = Metrics().text({.placed = {job, placed("job-b", "")}});
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_info{job=\"job-a\",name=\"n\",sweep=\"sweep-1\","
                                   "gang=\"job-a/1\",worker=\"w\"} 1")));
  EXPECT_THAT(text, HasSubstr("prefixmem_job_info{job=\"job-b\",name=\"n\",sweep=\"\","));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_labels{job=\"job-a\",label_cost_centre=\"7\","
                                   "label_team=\"red\"} 1")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_labels{job=\"job-b\"} 1")));
}

TEST(Metrics, SweepsTheQueuesAgeTheDiskAndTheWorkersHosts) {
  v1::Worker host = worker("a", "connected");
  host.set_host("node7");
  host.set_device("cuda");
  const std::string text = Metrics().text({.sweeps = {{"s", {{v1::JOB_STATE_FAILED, 2}}}},
                                           .workers = {host},
                                           .oldest_queued_seconds = 12.5,
                                           .disk = {.free_bytes = 10, .size_bytes = 40},
                                           .certificates = {{"--tls-cert", 1790000000}}});
  EXPECT_THAT(text, HasSubstr(line("prefixmem_sweep_jobs{sweep=\"s\",state=\"failed\"} 2")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_sweep_jobs{sweep=\"s\",state=\"queued\"} 0")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_queue_oldest_job_age_seconds 12.5")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_store_disk_free_bytes 10")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_store_disk_size_bytes 40")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_certificate_expiry_timestamp_seconds{option="
                                   "\"--tls-cert\"} 1790000000")));
  EXPECT_THAT(text, HasSubstr("prefixmem_worker_info{worker=\"a\",host=\"node7\",device=\"cuda\","
                              "state=\"connected\""));
}

TEST(Metrics, RequestsAreCountedByMethodAndCode) {
  Metrics metrics;
  metrics.rpc_ended("SubmitJob", "OK");
  metrics.rpc_ended("SubmitJob", "OK");
  metrics.rpc_ended("GetJob", "NOT_FOUND");
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr(line("# TYPE prefixmem_rpc_requests_total counter")));
  EXPECT_THAT(text,
              HasSubstr("prefixmem_rpc_requests_total{code=\"OK\",method=\"SubmitJob\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("prefixmem_rpc_requests_total{code=\"NOT_FOUND\",method=\"GetJob\"} 1\n"));
}

class JobMetricsTest : public CoordinatorTest {};

TEST_F(JobMetricsTest, AJobsLifeIsMeasuredOnceOverAllItsAttempts) {
  submit("a");
  clock_.advance(Millis(4000));
  ASSERT_TRUE(connect("w", 1).ok());
  clock_.advance(Millis(10000));
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  ASSERT_TRUE(events("w", "a/2", 1, {step_event(1)}).ok());
  clock_.advance(Millis(10000));
  ASSERT_TRUE(ended("w", "a/2", "OK").ok());
  const std::string text = metrics_.text({});
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_wait_seconds_count 1")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_wait_seconds_sum 4")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_run_seconds_count 1")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_job_run_seconds_sum 20")));
  EXPECT_THAT(text, HasSubstr(line("prefixmem_jobs_ended_total{code=\"\",state=\"succeeded\"} 1")));
  const std::string events = std::to_string(history("a").size());
  EXPECT_THAT(text, HasSubstr(line("prefixmem_events_committed_total " + events)));
}

TEST_F(JobMetricsTest, AFailureIsCountedByItsCode) {
  submit("a");
  ASSERT_TRUE(connect("w", 1).ok());
  ASSERT_TRUE(ended("w", "a/1", "DATA_LOSS", "cut short").ok());
  EXPECT_THAT(metrics_.text({}),
              HasSubstr(line("prefixmem_jobs_ended_total{code=\"DATA_LOSS\",state=\"failed\"} 1")));
}

TEST_F(JobMetricsTest, TheOverviewHoldsWhatIsPlacedAndHowLongTheRestHasWaited) {
  submit("a");
  submit("b");
  ASSERT_TRUE(connect("w", 1).ok());
  clock_.advance(Millis(4000));
  const Overview overview = coordinator().overview();
  ASSERT_EQ(overview.placed.size(), 1U);
  EXPECT_EQ(overview.placed[0].name(), "a");
  EXPECT_EQ(overview.oldest_queued_seconds, 4);
  EXPECT_EQ(overview.workers.size(), 1U);
}

TEST_F(JobMetricsTest, ASweepIsCountedUntilItsLastJobHasEnded) {
  submit("s", "sweep: {trials: [{train.seed: 1}, {train.seed: 2}]}\n");
  submit("alone");
  const auto counts = coordinator().reader().count_by_sweep();
  ASSERT_TRUE(counts.ok());
  ASSERT_EQ(counts->size(), 1U);
  EXPECT_EQ(counts->begin()->second, (store::Reader::Counts{{v1::JOB_STATE_QUEUED, 2}}));
  const auto trials = coordinator().reader().trials(counts->begin()->first);
  ASSERT_TRUE(trials.ok());
  for (const v1::Job& job : *trials) {
    ASSERT_TRUE(coordinator().cancel(job.id()).ok());
  }
  EXPECT_TRUE(coordinator().reader().count_by_sweep()->empty());
}

TEST_F(JobMetricsTest, AJobThatNeverStartedHasNoRunTime) {
  submit("a");
  ASSERT_TRUE(coordinator().cancel("a").ok());
  EXPECT_THAT(metrics_.text({}), HasSubstr(line("prefixmem_job_run_seconds_count 0")));
}

}  // namespace
}  // namespace prefixmem
