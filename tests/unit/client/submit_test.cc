#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "restarting");

class Submit : public testing::Test {
 protected:
  Submit() {
    pmt.write("specs/job.yaml", "model: m\n");
    pmt.write("specs/m/config.json", "{}");
    pmt.write("specs/m/model.safetensors", "");
  }
  Pmt pmt;
};

TEST_F(Submit, PrintsTheJobs) {
  const Outcome done = pmt.run({"submit", "specs/job.yaml"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out,
            "job    name     state   reason\n"
            "job-1  banking  queued  submitted\n");
  EXPECT_EQ(done.err, "");
  ASSERT_EQ(pmt.service.submitted.size(), 1u);
  EXPECT_EQ(pmt.service.submitted[0].yaml(), "model: " + pmt.path("specs/m").string() + "\n");
}

TEST_F(Submit, SaysThatANameIsNoLongerEnough) {
  const auto note = [&] { return pmt.run({"submit", "specs/job.yaml"}).err; };
  pmt.service.jobs = {make_job("job-1", "banking", v1::JOB_STATE_QUEUED)};
  EXPECT_EQ(note(), "");
  pmt.service.jobs.push_back(make_job("job-0", "other", v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(note(), "");
  pmt.service.jobs.push_back(make_job("job-00", "banking", v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(note(), "pmt: another job is named \"banking\" too: call this one by its id\n");
}

TEST_F(Submit, PrintsTheSweep) {
  const Outcome done =
      pmt.run({"submit", "specs/job.yaml", "--set", "sweep.grid={train.seed: [1, 2]}"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out.substr(0, done.out.find('\n')), "sweep sweep-1");
}

TEST_F(Submit, AsJson) {
  const auto json = pmt.run({"submit", "specs/job.yaml", "-o", "json"}).json();
  EXPECT_EQ(json["sweep_id"], "");
  ASSERT_EQ(json["jobs"].size(), 1u);
  EXPECT_EQ(json["jobs"][0]["id"], "job-1");
  EXPECT_EQ(json["jobs"][0]["state"], "JOB_STATE_QUEUED");
}

TEST_F(Submit, ReadsStandardInputAndSettings) {
  pmt.in = "model: specs/m\n";
  EXPECT_EQ(
      pmt.run({"submit", "-", "--no-upload", "--set", "train.seed=3", "--set", "data.train=rows"})
          .code,
      0);
  EXPECT_EQ(pmt.service.submitted.at(0).yaml(),
            "model: " + pmt.path("specs/m").string() +
                "\ntrain:\n  seed: 3\ndata:\n  train: " + pmt.path("rows").string() + "\n");
}

TEST_F(Submit, EverySubmissionHasAKeyOfItsOwn) {
  pmt.run({"submit", "specs/job.yaml"});
  pmt.run({"submit", "specs/job.yaml"});
  pmt.run({"submit", "specs/job.yaml", "--idempotency-key", "mine"});
  const auto& asked = pmt.service.submitted;
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_FALSE(asked[0].idempotency_key().empty());
  EXPECT_NE(asked[0].idempotency_key(), asked[1].idempotency_key());
  EXPECT_EQ(asked[2].idempotency_key(), "mine");
}

TEST_F(Submit, TriesAgainWithTheSameKeyAndMakesNoSecondJob) {
  pmt.service.submit_failures = {kAway, kAway};
  const Outcome done = pmt.run({"submit", "specs/job.yaml", "-o", "json"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["jobs"].size(), 1u);
  const auto& asked = pmt.service.submitted;
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].idempotency_key(), asked[2].idempotency_key());
  EXPECT_EQ(pmt.service.submissions.size(), 1u);
}

TEST_F(Submit, GivesUpAndSaysHowToGoOn) {
  pmt.service.submit_failures = {kAway, kAway, kAway, kAway};
  const Outcome done = pmt.run({"submit", "specs/job.yaml"});
  EXPECT_EQ(done.code, 16);
  EXPECT_EQ(done.out, "");
  const std::string key = pmt.service.submitted.at(0).idempotency_key();
  EXPECT_NE(done.err.find("submit it again with --idempotency-key " + key), std::string::npos)
      << done.err;
  EXPECT_EQ(pmt.run({"submit", "specs/job.yaml", "--idempotency-key", key}).code, 0);
  EXPECT_EQ(pmt.service.submissions.size(), 1u);
}

TEST_F(Submit, ARefusalIsOneSentenceAndIsNotRepeated) {
  pmt.service.refuse["SubmitJob"] = {grpc::StatusCode::INVALID_ARGUMENT,
                                     "train.seed is -1; allowed: a whole number of at least 0"};
  const Outcome done = pmt.run({"submit", "specs/job.yaml"});
  EXPECT_EQ(done.code, 11);
  EXPECT_EQ(done.err, "pmt: train.seed is -1; allowed: a whole number of at least 0\n");
  EXPECT_EQ(pmt.service.submitted.size(), 1u);
}

TEST_F(Submit, BadInputNeverReachesTheServer) {
  pmt.write("bad.yaml", "a: [");
  const Outcome bad = pmt.run({"submit", "bad.yaml"});
  EXPECT_EQ(bad.code, 11);
  EXPECT_EQ(bad.err.find("pmt: bad.yaml: "), 0u) << bad.err;
  const Outcome missing = pmt.run({"submit", "none.yaml"});
  EXPECT_EQ(missing.code, 12);
  EXPECT_NE(missing.err.find("none.yaml"), std::string::npos) << missing.err;
  pmt.in = "[]";
  EXPECT_EQ(pmt.run({"submit", "-"}).err, "pmt: standard input: the spec is no map of keys\n");
  EXPECT_EQ(pmt.run({"submit", "specs/job.yaml", "--set", "x"}).code, 11);
  const Outcome key = pmt.run({"submit", "-", "--idempotency-key", std::string(129, 'k')});
  EXPECT_EQ(key.code, 2);
  EXPECT_NE(key.err.find("at most 128 bytes"), std::string::npos) << key.err;
  EXPECT_TRUE(pmt.service.submitted.empty());
}

TEST_F(Submit, WatchesWhereAskedTo) {
  pmt.service.events["job-1"] = events_of("job-1", v1::JOB_STATE_FAILED, "no model");
  const Outcome done = pmt.run({"submit", "specs/job.yaml", "--watch", "-o", "json"});
  EXPECT_EQ(done.code, 1);
  const auto lines = done.json_lines();
  ASSERT_EQ(lines.size(), 8u) << "the answer, then the events";
  EXPECT_EQ(lines[0]["jobs"][0]["id"], "job-1");
  EXPECT_EQ(lines[7]["state"]["reason"], "no model");
}

TEST_F(Submit, WaitsForResultsWhereAskedTo) {
  v1::Job job = make_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  pmt.service.jobs = {job};
  pmt.service.events["job-1"] = events_of("job-1", v1::JOB_STATE_SUCCEEDED);
  const Outcome done = pmt.run({"submit", "specs/job.yaml", "--results"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out, pmt.run({"results", "job-1"}).out) << "and nothing else";
  EXPECT_EQ(done.err, "pmt: submitted job-1\npmt: 00:00:07  banking  succeeded\n");
}

TEST_F(Submit, WaitsForTheResultsOfASweep) {
  for (const char* id : {"job-1", "job-2"}) {
    pmt.service.events[id] = events_of(id, v1::JOB_STATE_SUCCEEDED);
  }
  pmt.service.sweep_results["sweep-1"].mutable_answer()->set_baseline("lora");
  const Outcome done = pmt.run({"submit", "specs/job.yaml", "--set",
                                "sweep.grid={train.seed: [1, 2]}", "--results", "-o", "markdown"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, pmt.run({"results", "sweep-1", "-o", "markdown"}).out);
  EXPECT_NE(done.out, "");
  EXPECT_EQ(pmt.run({"submit", "specs/job.yaml", "--results", "--watch"}).code, 2);
  const size_t before = pmt.service.submitted.size();
  EXPECT_EQ(pmt.run({"submit", "specs/job.yaml", "--results", "-o", "csv"}).err,
            "pmt: --output is csv; allowed by job: table, json, markdown\n");
  EXPECT_EQ(pmt.service.submitted.size(), before) << "not only once it has trained";
}

}  // namespace
}  // namespace prefixmem::client
