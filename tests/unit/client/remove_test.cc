// pmt rm, pin and unpin.
#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

class Remove : public testing::Test {
 protected:
  Remove() {
    pmt.service.jobs = {make_job("job-3", "runs", v1::JOB_STATE_RUNNING),
                        make_job("job-2", "trial-2", v1::JOB_STATE_SUCCEEDED),
                        make_job("job-1", "trial-1", v1::JOB_STATE_SUCCEEDED)};
    for (size_t trial : {1u, 2u}) pmt.service.jobs[trial].set_sweep_id("sweep-1");
    v1::Sweep& sweep = pmt.service.sweeps.emplace_back();
    sweep.set_id("sweep-1");
    sweep.set_name("rates");
    sweep.set_state(v1::SWEEP_STATE_FINISHED);
  }
  Pmt pmt;
};

TEST_F(Remove, JobsAndSweepsGoByTheirNames) {
  const Outcome done = pmt.run({"rm", "trial-1", "rates"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "removed  jobs  files      size  pinned\n"
            "job-1       1      1  1.46 KiB       0\n"
            "sweep-1     2      2  2.93 KiB       0\n");
  EXPECT_EQ(pmt.service.removed, (std::vector<std::string>{"job-1", "sweep-1"}));
}

TEST_F(Remove, OnlyFiles) {
  const Outcome done = pmt.run({"rm", "--files", "job-1", "sweep-1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "removed  jobs  files      size  pinned\n"
            "job-1       0      1  1.46 KiB       0\n"
            "sweep-1     0      2  2.93 KiB       1\n");
  EXPECT_EQ(pmt.service.removed, (std::vector<std::string>{"files of job-1", "files of sweep-1"}));
}

TEST_F(Remove, AsJson) {
  const auto json = pmt.run({"rm", "sweep-1", "job-1", "-o", "json"}).json();
  ASSERT_EQ(json["removed"].size(), 2u);
  EXPECT_EQ(json["removed"][0]["sweep_id"], "sweep-1");
  EXPECT_EQ(json["removed"][0]["jobs"], 2);
  EXPECT_EQ(json["removed"][0]["bytes"], "3000");
  EXPECT_EQ(json["removed"][1]["job_id"], "job-1");
}

TEST_F(Remove, ARefusalKeepsNoOtherFromGoing) {
  const Outcome done = pmt.run({"rm", "runs", "trial-1", "nobody"});
  EXPECT_EQ(done.code, 13);
  EXPECT_NE(done.out.find("job-1  "), std::string::npos);
  EXPECT_EQ(done.err,
            "pmt: no job or sweep has the id or name \"nobody\"\n"
            "pmt: job job-3 has not ended\n");
  EXPECT_EQ(pmt.run({"rm", "runs"}).out, "");
}

TEST_F(Remove, ANameThatAJobAndASweepHaveIsRefused) {
  pmt.service.sweeps[0].set_name("trial-1");
  for (const char* command : {"rm", "pin", "unpin", "cancel"}) {
    const Outcome done = pmt.run({command, "trial-1"});
    EXPECT_EQ(done.code, 13) << command;
    EXPECT_EQ(done.err, "pmt: job job-1 and sweep sweep-1 are named trial-1; give an id\n");
  }
  EXPECT_TRUE(pmt.service.removed.empty());
  EXPECT_EQ(pmt.run({"rm", "job-1"}).code, 0);
}

TEST_F(Remove, OfASearchThatGoesOnLaterTrialsAreNotPinned) {
  pmt.service.sweeps[0].set_state(v1::SWEEP_STATE_RUNNING);
  EXPECT_EQ(pmt.run({"pin", "rates"}).err,
            "pmt: sweep sweep-1 goes on: trials that it begins later are not pinned\n");
  pmt.service.sweeps[0].set_state(v1::SWEEP_STATE_FINISHED);
  EXPECT_EQ(pmt.run({"pin", "rates"}).err, "");
}

TEST_F(Remove, OfASweepThatTheStoreDoesNotKnowTheJobsGo) {
  pmt.service.sweeps.clear();
  const Outcome done = pmt.run({"rm", "sweep-1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(pmt.service.removed, (std::vector<std::string>{"job-1", "job-2"}));
}

TEST_F(Remove, APinIsShown) {
  const Outcome done = pmt.run({"pin", "rates"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "job    name     state      pinned\n"
            "job-1  trial-1  succeeded  yes\n"
            "job-2  trial-2  succeeded  yes\n");
  EXPECT_NE(pmt.run({"show", "job-1"}).out.find("pinned"), std::string::npos);
  EXPECT_NE(pmt.run({"list"}).out.find("succeeded, pinned"), std::string::npos);
  EXPECT_EQ(pmt.run({"unpin", "trial-1", "-o", "json"}).json()["jobs"][0]["pinned"], false);
  EXPECT_EQ(pmt.run({"show", "job-1"}).out.find("pinned"), std::string::npos);
}

TEST_F(Remove, APinThatIsRefused) {
  pmt.service.refuse["PinJob"] = {grpc::StatusCode::FAILED_PRECONDITION, "not yours"};
  const Outcome done = pmt.run({"pin", "job-1"});
  EXPECT_EQ(done.code, 13);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "pmt: not yours\n");
}

TEST_F(Remove, ShowSaysWhenFilesWent) {
  pmt.service.jobs[2].mutable_files_remove_time()->set_seconds(1'700'000'000);
  const std::string shown = pmt.run({"show", "job-1"}).out;
  const size_t line = shown.find("files removed");
  ASSERT_NE(line, std::string::npos);
  EXPECT_LT(shown.find("2023-11-14 22:13:20 UTC", line), shown.find('\n', line));
}

}  // namespace
}  // namespace prefixmem::client
