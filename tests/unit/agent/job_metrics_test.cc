#include "worker/agent/exporter/job_metrics.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <cmath>
#include <memory>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/exporter/metrics_page.h"
#include "worker/agent/exporter/worker_metrics.h"
#include "worker/agent/gang/launcher.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Millis kRetention{60000};
const std::string kLabels = R"({job="job-a",method="lora",name="n",worker="w"})";

class JobMetricsTest : public testing::Test {
 protected:
  std::string page() {
    metrics_.drop_expired();
    return metrics_page(registry_);
  }
  void begin() { metrics_.begin({"job-a", "n", "lora"}); }
  void step(int64_t number) {
    StepEvent event{number, 10, 0.5, 0.01, 2, 100, 7, 0.02, 0.001, 4096, 0, -1};
    metrics_.observe("job-a", event);
  }

  FakeClock clock_;
  prometheus::Registry registry_;
  JobMetrics metrics_{registry_, "w", clock_, kRetention};
};

TEST_F(JobMetricsTest, StepsBecomeGaugesCountersAndHistograms) {
  begin();
  step(1);
  step(2);
  const std::string text = page();
  for (const char* sample :
       {"job_loss$ 0.5", "job_learning_rate$ 0.01", "job_gradient_norm$ 2",
        "job_progress_ratio$ 0.2", "job_resident_memory_bytes$ 4096", "job_tokens_total$ 200",
        "job_label_tokens_total$ 14", "job_steps_total$ 2", "job_step_seconds_count$ 2",
        "job_allreduce_seconds_count$ 2"}) {
    std::string line = std::string("\nprefixmem_") + sample;
    line.replace(line.find('$'), 1, kLabels);
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("prefixmem_job_gpu_memory_bytes{"))) << "there is no GPU";
}

TEST_F(JobMetricsTest, GpuSeriesWhereThereIsOne) {
  begin();
  StepEvent event;
  event.device_bytes = 1024;
  event.device_utilization = 0.75;
  metrics_.observe("job-a", event);
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_gpu_memory_bytes" + kLabels + " 1024"));
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_gpu_utilization_ratio" + kLabels + " 0.75"));
}

TEST_F(JobMetricsTest, TimesOfCheckpointsButNotOfOtherFiles) {
  begin();
  metrics_.observe("job-a", ArtifactEvent{ArtifactEvent::Kind::kCheckpoint, "c", 1, 1, 0.3});
  metrics_.observe("job-a", ArtifactEvent{ArtifactEvent::Kind::kAdapter, "a", 1, 1, 0.3});
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_checkpoint_seconds_count" + kLabels + " 1"));
}

// A line of a series with one label more.
std::string with(const std::string& labels) {
  return R"({job="job-a",)" + labels + R"(,worker="w"})";
}

TEST_F(JobMetricsTest, ThePhaseIsTheOneWith1UntilTheEnd) {
  begin();
  EXPECT_THAT(page(), Not(HasSubstr("prefixmem_job_phase{")));
  metrics_.observe("job-a", PhaseEvent{PhaseEvent::Phase::kLoading, 0, 0});
  metrics_.observe("job-a", PhaseEvent{PhaseEvent::Phase::kTraining, 10, 7});
  const std::string training = with(R"(method="lora",name="n",phase="training")");
  const std::string loading = with(R"(method="lora",name="n",phase="loading")");
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_phase" + training + " 1"));
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_phase" + loading + " 0"));
  metrics_.end("job-a");
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_phase" + training + " 0"));
}

TEST_F(JobMetricsTest, EvaluationsByTheirMetric) {
  begin();
  metrics_.observe("job-a", EvalEvent{0, "accuracy", 0.25, 8, 1});
  metrics_.observe("job-a", EvalEvent{9, "accuracy", 0.75, 8, 1});
  metrics_.observe("job-a", EvalEvent{9, "loss", 1.5, 8, 1});
  EXPECT_THAT(page(), HasSubstr(R"(prefixmem_job_eval{job="job-a",method="lora",metric="accuracy",)"
                                R"(name="n",worker="w"} 0.75)"));
  EXPECT_THAT(page(), HasSubstr(R"(metric="loss",name="n",worker="w"} 1.5)"));
}

TEST_F(JobMetricsTest, WhoKeepsTheOthersWaitingWhileTheyDo) {
  begin();
  metrics_.set_hanging("job-a", {{"1", "node7", "all_reduce"}, {"3", "node7", "all_reduce"}});
  EXPECT_THAT(page(), HasSubstr(R"(prefixmem_job_hanging_rank{call="all_reduce",host="node7",)"
                                R"(job="job-a",method="lora",name="n",rank="1",worker="w"} 1)"));
  metrics_.set_hanging("job-a", {{"3", "node7", "barrier"}});
  EXPECT_THAT(page(), Not(HasSubstr(R"(rank="1")")));
  EXPECT_THAT(page(), HasSubstr(R"(call="barrier")"));
  metrics_.end("job-a");
  EXPECT_THAT(page(), Not(HasSubstr("prefixmem_job_hanging_rank{")));
}

TEST_F(JobMetricsTest, FailedUploadsCountFromNought) {
  begin();
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_upload_failures_total" + kLabels + " 0"));
  metrics_.upload_failed("job-a");
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_upload_failures_total" + kLabels + " 1"));
}

TEST_F(JobMetricsTest, ALossThatIsNotANumberIsShown) {
  begin();
  StepEvent event;
  event.loss = std::nan("");
  metrics_.observe("job-a", event);
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_loss" + kLabels + " Nan"));
}

TEST_F(JobMetricsTest, SeriesGoAwaySomeTimeAfterTheEnd) {
  begin();
  step(1);
  clock_.advance(2 * kRetention);
  EXPECT_THAT(page(), HasSubstr("job-a")) << "it still runs";
  metrics_.end("job-a");
  clock_.advance(kRetention - Millis(1));
  EXPECT_THAT(page(), HasSubstr("job-a"));
  clock_.advance(Millis(1));
  EXPECT_THAT(page(), Not(HasSubstr("job-a")));
}

TEST_F(JobMetricsTest, ALaterAttemptGoesOnWithTheCounters) {
  begin();
  step(1);
  metrics_.end("job-a");
  clock_.advance(kRetention / 2);
  begin();
  step(2);
  clock_.advance(kRetention);
  EXPECT_THAT(page(), HasSubstr("prefixmem_job_steps_total" + kLabels + " 2"));
}

TEST_F(JobMetricsTest, AnAttemptThatEndsLateTakesNothingFromItsSuccessor) {
  begin();
  begin();
  metrics_.end("job-a");
  clock_.advance(kRetention);
  step(1);
  EXPECT_THAT(page(), HasSubstr("job-a"));
  metrics_.end("job-a");
  clock_.advance(kRetention);
  EXPECT_THAT(page(), Not(HasSubstr("job-a")));
}

TEST_F(JobMetricsTest, WhatIsNotKnownIsIgnored) {
  step(1);
  metrics_.end("job-a");
  EXPECT_THAT(page(), Not(HasSubstr("job-a")));
}

TEST_F(JobMetricsTest, LabelsMayHoldAnything) {
  metrics_.begin({"job-b", "a \"name\"\n", "lora"});
  metrics_.observe("job-b", StepEvent{});
  EXPECT_THAT(page(), HasSubstr(R"(name="a \"name\"\n")"));
}

TEST_F(JobMetricsTest, PromtoolFindsNothingToSay) {
  WorkerMetrics worker(registry_, "w", 4);
  worker.count_heartbeat();
  worker.set_used_slots(2);
  begin();
  step(1);
  metrics_.observe("job-a", ArtifactEvent{ArtifactEvent::Kind::kCheckpoint, "c", 1, 1, 0.3});
  const TempFolder folder;
  const std::string file = folder.path() / "page", said = folder.path() / "said";
  ASSERT_TRUE(write_file_atomic(file, page()).ok());
  const auto launcher = std::move(*make_launcher());
  const Fd out(open(said.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto pid = launcher->start(
      {{"/bin/sh", "-c", "exec promtool check metrics < " + file}, {}, "/", out.get()});
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(launcher->wait(*pid).code, 0);
  EXPECT_EQ(*read_file(said), "");
}

TEST(WorkerMetrics, AreThose) {
  prometheus::Registry registry;
  WorkerMetrics worker(registry, "w", 4);
  worker.count_heartbeat();
  worker.count_heartbeat();
  worker.count_reconnect();
  worker.set_connected(true);
  worker.set_used_slots(3);
  worker.set_spooled_events(9);
  worker.set_disk({.free_bytes = 10, .size_bytes = 40});
  worker.set_certificates({{"--tls-cert", 1}, {"--tls-ca", 1790000000}});
  worker.set_certificates({{"--tls-cert", 1800000000}, {"--tls-ca", 1790000000}});
  const std::string text = metrics_page(registry);
  const std::string expiry =
      "\nprefixmem_certificate_expiry_timestamp_seconds{worker=\"w\",option=";
  EXPECT_THAT(text, HasSubstr(expiry + "\"--tls-cert\"} 1800000000\n"));
  EXPECT_THAT(text, HasSubstr(expiry + "\"--tls-ca\"} 1790000000\n"));
  for (const char* line :
       {"slots{worker=\"w\"} 4", "used_slots{worker=\"w\"} 3", "spooled_events{worker=\"w\"} 9",
        "connected{worker=\"w\"} 1", "heartbeats_total{worker=\"w\"} 2",
        "reconnects_total{worker=\"w\"} 1", "disk_free_bytes{worker=\"w\"} 10",
        "disk_size_bytes{worker=\"w\"} 40"}) {
    EXPECT_THAT(text, HasSubstr("\nprefixmem_agent_" + std::string(line)));
  }
}

}  // namespace
}  // namespace prefixmem::agent
