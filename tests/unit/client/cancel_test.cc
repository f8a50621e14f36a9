#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

class Cancel : public testing::Test {
 protected:
  Cancel() {
    for (const auto& [id, state] :
         {std::pair("job-2", v1::JOB_STATE_RUNNING), std::pair("job-1", v1::JOB_STATE_SUCCEEDED)}) {
      pmt.service.jobs.push_back(make_job(id, std::string("name-") + id, state));
      pmt.service.jobs.back().set_sweep_id("sweep-1");
    }
  }
  Pmt pmt;
};

TEST_F(Cancel, AsksTheJobToStop) {
  const Outcome done = pmt.run({"cancel", "name-job-2"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out,
            "job    name        state    reason\n"
            "job-2  name-job-2  running  cancel asked for\n");
  EXPECT_EQ(pmt.service.cancelled, std::vector<std::string>{"job-2"});
}

TEST_F(Cancel, AsJson) {
  const auto json = pmt.run({"cancel", "job-2", "-o", "json"}).json();
  ASSERT_EQ(json["jobs"].size(), 1u);
  EXPECT_EQ(json["jobs"][0]["reason"], "cancel asked for");
}

TEST_F(Cancel, AJobThatHasEndedIsRefused) {
  const Outcome done = pmt.run({"cancel", "job-1"});
  EXPECT_EQ(done.code, 13);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "pmt: job job-1 has already ended\n");
}

TEST_F(Cancel, OfASweepThoseThatHaveEndedArePassedOver) {
  const Outcome done = pmt.run({"cancel", "sweep-1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(pmt.service.cancelled, std::vector<std::string>{"job-2"});
}

TEST_F(Cancel, ASweepThatHasEndedIsRefused) {
  pmt.service.jobs[0].set_state(v1::JOB_STATE_FAILED);
  const Outcome done = pmt.run({"cancel", "sweep-1"});
  EXPECT_EQ(done.code, 13);
  EXPECT_EQ(done.err, "pmt: all jobs of sweep-1 have already ended\n");
}

TEST_F(Cancel, ASweepIsCancelledAsAWhole) {
  pmt.service.sweeps.emplace_back().set_id("sweep-1");
  const Outcome done = pmt.run({"cancel", "sweep-1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(pmt.service.cancelled_sweeps, std::vector<std::string>{"sweep-1"});
  EXPECT_TRUE(pmt.service.cancelled.empty()) << "the coordinator sees to its jobs";
  EXPECT_NE(done.out.find("job-2"), std::string::npos);
  EXPECT_EQ(done.out.find("job-1"), std::string::npos) << "it had ended before";
}

TEST_F(Cancel, ASweepGoesByItsNameToo) {
  v1::Sweep& sweep = pmt.service.sweeps.emplace_back();
  sweep.set_id("sweep-1");
  sweep.set_name("rates");
  EXPECT_EQ(pmt.run({"cancel", "rates"}).code, 0);
  EXPECT_EQ(pmt.service.cancelled_sweeps, std::vector<std::string>{"sweep-1"});
}

TEST_F(Cancel, ASweepThatCannotBeAskedIsNoSuccess) {
  pmt.service.sweeps.emplace_back().set_id("sweep-1");
  pmt.service.refuse["CancelSweep"] = {grpc::StatusCode::INTERNAL, "no disk"};
  const Outcome done = pmt.run({"cancel", "sweep-1"});
  EXPECT_NE(done.code, 0);
  EXPECT_TRUE(pmt.service.cancelled.empty());
}

TEST_F(Cancel, ARefusalDoesNotSpareTheOthers) {
  const Outcome done = pmt.run({"cancel", "none", "job-1", "job-2"});
  EXPECT_EQ(done.code, 12) << "the first refusal's";
  EXPECT_EQ(pmt.service.cancelled, std::vector<std::string>{"job-2"});
  EXPECT_NE(done.err.find("\"none\""), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("job-1 has already ended"), std::string::npos) << done.err;
  EXPECT_NE(done.out.find("job-2"), std::string::npos);
}

}  // namespace
}  // namespace prefixmem::client
