// list, show, workers and results.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::HasSubstr;
using testing::Not;

class Listing : public testing::Test {
 protected:
  Listing() {
    v1::Job job = make_job("job-1", "banking", v1::JOB_STATE_RUNNING);
    job.set_sweep_id("sweep-1");
    job.set_worker_id("worker-1");
    job.set_reason("runs");
    job.set_attempt(1);
    job.mutable_start_time()->set_seconds(kStart - 30);
    v1::JobProgress& progress = *job.mutable_progress();
    progress.set_step(2);
    progress.set_total_steps(4);
    progress.set_loss(0.5);
    progress.set_tokens_per_second(1234);
    progress.set_trainable_parameters(4718592);
    progress.set_eta_seconds(75);
    pmt.service.jobs.push_back(job);
  }

  v1::Job& job() { return pmt.service.jobs[0]; }

  void add_jobs(int count) {
    for (int i = 0; i < count; ++i) {
      pmt.service.jobs.push_back(
          make_job("job-" + std::to_string(i + 2), "other", v1::JOB_STATE_QUEUED));
    }
  }

  Pmt pmt;
};

TEST_F(Listing, ListIsATable) {
  const Outcome done = pmt.run({"list"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "job    name     state    method    step  loss  run time    age  worker    reason\n"
            "job-1  banking  running  lora r=8   2/4   0.5     30.0s  1m00s  worker-1  runs\n");
}

TEST_F(Listing, ListFitsTheTerminal) {
  pmt.terminal = TerminalSize{20, 24};
  EXPECT_EQ(pmt.run({"list"}).out, "job    name     sta…\njob-1  banking  run…\n");
}

TEST_F(Listing, ListAsJson) {
  const auto json = pmt.run({"list", "-o", "json"}).json();
  EXPECT_EQ(json["jobs"][0]["state"], "JOB_STATE_RUNNING");
  EXPECT_EQ(json["jobs"][0]["progress"]["step"], "2");
  EXPECT_EQ(json["next_page_token"], "");
}

TEST_F(Listing, ListAsksForWhatTheOptionsSay) {
  pmt.service.jobs.at(0).set_sweep_id("sweep-1");
  EXPECT_EQ(pmt.run({"list", "--state", "running", "--state", "failed", "--label", "team=a=b",
                     "--name", "bank*", "--sweep", "sweep-1", "--limit", "7"})
                .code,
            0);
  const v1::ListJobsRequest& asked = pmt.service.listed.back();
  ASSERT_EQ(asked.states_size(), 2);
  EXPECT_EQ(asked.states(0), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(asked.states(1), v1::JOB_STATE_FAILED);
  EXPECT_EQ(asked.labels().at("team"), "a=b");
  EXPECT_EQ(asked.name(), "bank*");
  EXPECT_EQ(asked.sweep_id(), "sweep-1");
  EXPECT_EQ(asked.page_size(), 7);
}

TEST_F(Listing, ListTakesASweepByItsName) {
  v1::Sweep& sweep = pmt.service.sweeps.emplace_back();
  sweep.set_id("sweep-1");
  sweep.set_name("rates");
  EXPECT_EQ(pmt.run({"list", "--sweep", "rates"}).code, 0);
  EXPECT_EQ(pmt.service.listed.back().sweep_id(), "sweep-1");
  EXPECT_EQ(pmt.run({"list", "--sweep", "nosuch"}).code, 12);
}

TEST_F(Listing, ListGoesThroughThePages) {
  add_jobs(6);
  pmt.service.largest_page = 3;
  EXPECT_EQ(pmt.run({"list", "--all", "-o", "json"}).json()["jobs"].size(), 7u);
  EXPECT_EQ(pmt.service.listed.size(), 3u);
}

TEST_F(Listing, ListSaysThatThereAreMore) {
  add_jobs(6);
  const Outcome done = pmt.run({"list", "--limit", "5"});
  EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 6);
  EXPECT_EQ(done.err, "pmt: there are more than these 5 jobs; --all lists them\n");
}

TEST_F(Listing, ListRefusesWhatIsNoFilter) {
  const Outcome state = pmt.run({"list", "--state", "asleep"});
  EXPECT_EQ(state.code, 2);
  EXPECT_THAT(state.err,
              testing::AllOf(HasSubstr("--state"), HasSubstr("asleep"), HasSubstr("queued")));
  EXPECT_EQ(pmt.run({"list", "--limit", "0"}).code, 2);
  EXPECT_EQ(pmt.run({"list", "--limit", "1", "--all"}).code, 2);
  const Outcome label = pmt.run({"list", "--label", "team"});
  EXPECT_EQ(label.code, 11);
  EXPECT_EQ(label.err, "pmt: --label is \"team\"; allowed: KEY=VALUE\n");
  EXPECT_TRUE(pmt.service.listed.empty());
}

TEST_F(Listing, ShowTellsAll) {
  v1::EvalEvent& eval = *job().mutable_progress()->add_evals();
  eval.set_metric("accuracy");
  eval.set_value(0.125);
  eval.set_rows(60);
  eval.set_seconds(12);
  (*job().mutable_spec()->mutable_labels())["team"] = "x";
  pmt.service.add_file("job-1", "adapter/adapter_model.safetensors", "adapter",
                       std::string(2048, 'x'));
  const Outcome done = pmt.run({"show", "banking"});
  EXPECT_EQ(done.code, 0) << done.err;
  for (const char* line :
       {"job:        job-1\n", "sweep:      sweep-1\n", "state:      running\n",
        "labels:     team=x\n", "created:    2025-12-31 23:59:00 UTC\n", "time:       30.0s\n",
        "progress:   step 2 of 4, loss 0.5, 1.23k tok/s, ETA 1m15s\n", "trainable:  4,718,592\n",
        "accuracy  12.5%    60  12.0s\n",
        "adapter/adapter_model.safetensors  adapter  2.00 KiB     4\n", "\nSpec\nname: banking\n",
        "  type: lora\n", "  max_steps: 4\n"}) {
    EXPECT_THAT(done.out, HasSubstr(line));
  }
  EXPECT_THAT(done.out, Not(HasSubstr("ended:")));
  EXPECT_THAT(done.out, Not(HasSubstr("stderr")));
}

TEST_F(Listing, ShowExplainsAFailure) {
  job().set_state(v1::JOB_STATE_FAILED);
  job().set_reason("model folder /m is not there");
  job().set_failure_code("NOT_FOUND");
  job().set_stderr_tail("one\n\x1b[31mtwo\n");
  const Outcome done = pmt.run({"show", "job-1"});
  EXPECT_THAT(done.out, HasSubstr("reason:        model folder /m is not there\n"));
  EXPECT_THAT(done.out, HasSubstr("failure code:  NOT_FOUND\n"));
  EXPECT_THAT(done.out, Not(HasSubstr("ETA")));
  EXPECT_THAT(done.out, HasSubstr("\nLast lines of the trainer's stderr\none\n [31mtwo\n"));
}

TEST_F(Listing, ShowAsJson) {
  const auto json = pmt.run({"show", "job-1", "-o", "json"}).json();
  EXPECT_EQ(json["id"], "job-1");
  EXPECT_EQ(json["attempt"], 1);
  EXPECT_EQ(json["failure_code"], "");
  EXPECT_EQ(json["spec"]["train"]["max_steps"], "4");
}

TEST_F(Listing, ShowNamesAJobThatIsNotThere) {
  for (const char* form : {"table", "json"}) {
    const Outcome done = pmt.run({"show", "none", "-o", form});
    EXPECT_EQ(done.code, 12);
    EXPECT_EQ(done.out, "");
    EXPECT_EQ(done.err, "pmt: no job has the id or name \"none\"\n");
  }
}

TEST_F(Listing, Workers) {
  v1::Worker worker;
  worker.set_id("worker-1");
  worker.set_host("host");
  worker.set_state("connected");
  worker.set_slots(4);
  worker.set_used_slots(2);
  worker.set_memory_bytes(int64_t{60} << 30);
  worker.set_device("cuda");
  worker.add_device_names("GPU A");
  worker.add_device_names("GPU B");
  worker.set_heartbeat_age_seconds(0.5);
  worker.add_job_ids("job-1");
  worker.set_version("0.1.0");
  worker.set_metrics_address("host:7072");
  pmt.service.workers.push_back(worker);
  EXPECT_EQ(
      pmt.run({"workers"}).out,
      "worker    host  state      slots used   memory  device  heartbeat  version  metrics    "
      "jobs   hardware\n"
      "worker-1  host  connected         2/4  60.0GiB  cuda        0.50s  0.1.0    host:7072  "
      "job-1  GPU A, GPU B\n");
  const auto json = pmt.run({"workers", "-o", "json"}).json();
  EXPECT_EQ(json["workers"][0]["used_slots"], 2);
  EXPECT_EQ(pmt.run({"workers"}).err, "");
  pmt.service.workers.back().set_memory_bytes(0);
  EXPECT_THAT(pmt.run({"workers"}).out, HasSubstr("  2/4       -  cuda"));
  pmt.service.workers.back().set_allocation("slurm:7");
  EXPECT_THAT(pmt.run({"workers"}).out, HasSubstr("  host(slurm:7)  "));
  pmt.service.workers.back().set_state("unhealthy");
  pmt.service.workers.back().set_unhealthy("its disk is full");
  const auto done = pmt.run({"workers"});
  EXPECT_THAT(done.out, HasSubstr("  unhealthy  "));
  EXPECT_EQ(done.err, "pmt: worker worker-1 takes no jobs: its disk is full\n");
  pmt.service.workers.clear();
  EXPECT_THAT(pmt.run({"workers"}).err, HasSubstr("no worker is connected"));
  EXPECT_EQ(pmt.run({"workers", "-o", "json"}).json()["workers"].size(), 0u);
}

TEST_F(Listing, AWorkerIsTakenOutOfServiceAndBack) {
  for (const char* id : {"a", "b"}) pmt.service.workers.emplace_back().set_id(id);
  const auto state = [](const Outcome& done) {
    EXPECT_EQ(done.code, 0) << done.err;
    const auto workers = done.json()["workers"];
    EXPECT_EQ(workers.size(), 1u) << "the one that was asked for";
    return workers[0]["id"].get<std::string>() + " " + workers[0]["state"].get<std::string>();
  };
  EXPECT_EQ(state(pmt.run({"workers", "cordon", "b", "-o", "json"})), "b cordoned");
  EXPECT_EQ(state(pmt.run({"-o", "json", "workers", "drain", "b"})), "b draining");
  EXPECT_THAT(pmt.run({"workers"}).out, HasSubstr("draining, cordoned")) << "why it drains";
  EXPECT_EQ(state(pmt.run({"workers", "uncordon", "b", "-o", "json"})), "b connected");
  EXPECT_THAT(pmt.run({"workers"}).out, Not(HasSubstr("cordoned")));
}

TEST_F(Listing, AWorkerThatIsNotThereCannotBeCordoned) {
  const Outcome done = pmt.run({"workers", "cordon", "none"});
  EXPECT_EQ(done.code, 12);
  EXPECT_EQ(done.err, "pmt: no worker has the id \"none\"\n");
  EXPECT_EQ(pmt.run({"workers", "drain"}).code, 2) << "no worker is named";
  EXPECT_EQ(pmt.run({"workers", "cordn", "a"}).code, 2);
}

TEST_F(Listing, TenantsWithWhatTheyUseOfTheirQuotas) {
  v1::Tenant& open = pmt.service.tenants.emplace_back();
  open.set_name("default");
  open.set_weight(1);
  open.set_used_slots(2);
  open.set_recent_slots(1.25);
  v1::Tenant& bounded = pmt.service.tenants.emplace_back();
  bounded.set_name("vision");
  bounded.set_weight(3);
  bounded.set_queued_jobs(7);
  bounded.set_stored_bytes(1 << 20);
  bounded.mutable_quota()->set_slots(8);
  bounded.mutable_quota()->set_queued_jobs(100);
  bounded.mutable_quota()->set_stored_bytes(2 << 20);
  EXPECT_EQ(pmt.run({"tenants"}).out,
            "tenant   weight  slots used  of late  jobs waiting             stored\n"
            "default       1           2      1.2             0                0 B\n"
            "vision        3         0/8      0.0         7/100  1.00 MiB/2.00 MiB\n");
  EXPECT_EQ(pmt.run({"tenants", "-o", "json"}).json()["tenants"][1]["quota"]["slots"], 8);
}

TEST_F(Listing, ATenantsQuotasAreSetTogether) {
  ASSERT_EQ(pmt.run({"tenants", "set", "vision", "--weight", "3", "--slots", "8", "--queued-jobs",
                     "100", "--stored-gib", "1.5"})
                .code,
            0);
  const v1::Tenant& set = pmt.service.tenants.at(0);
  EXPECT_EQ(set.name(), "vision");
  EXPECT_EQ(set.weight(), 3);
  EXPECT_EQ(set.quota().slots(), 8);
  EXPECT_EQ(set.quota().queued_jobs(), 100);
  EXPECT_EQ(set.quota().stored_bytes(), 3LL << 29);
  const Outcome done = pmt.run({"tenants", "set", "speech", "--slots", "0", "-o", "json"});
  EXPECT_EQ(done.json()["tenants"].size(), 1u) << "the one that was set";
  const v1::Tenant& open = pmt.service.tenants.at(1);
  EXPECT_EQ(open.weight(), 1);
  EXPECT_FALSE(open.quota().has_slots() || open.quota().has_queued_jobs() ||
               open.quota().has_stored_bytes());
  EXPECT_EQ(pmt.run({"tenants", "set"}).code, 2);
  EXPECT_EQ(pmt.run({"tenants", "set", "a", "--weight", "0"}).code, 2);
}

TEST_F(Listing, ResultsOfASweep) {
  job().set_state(v1::JOB_STATE_SUCCEEDED);
  pmt.service.add_file("job-1", "adapter/adapter_config.json", "adapter", "{}");
  pmt.service.add_file("job-1", "adapter/adapter_model.safetensors", "adapter", "x");
  pmt.service.add_file("job-1", "checkpoints/4/state", "checkpoint", "x");
  const Outcome done = pmt.run({"results", "sweep-1", "--by-job"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "name     method    state      before  after  loss  tokens/s  trainable  trainer time  "
            "adapter\n"
            "banking  lora r=8  succeeded       -      -   0.5     1.23k  4,718,592             -  "
            "job-1/adapter\n");
  const auto json = pmt.run({"results", "banking", "-o", "json"}).json();
  ASSERT_EQ(json["jobs"].size(), 1u);
  EXPECT_EQ(json["jobs"][0]["adapter"], "job-1/adapter");
  EXPECT_EQ(pmt.run({"results", "none"}).code, 12);
}

}  // namespace
}  // namespace prefixmem::client
