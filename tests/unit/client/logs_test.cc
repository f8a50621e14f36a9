#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

class Logs : public testing::Test {
 protected:
  Logs() {
    for (int i = 1; i <= 4; ++i) {
      v1::LogLine line;
      line.mutable_time()->set_seconds(kStart + i);
      line.set_level("info");
      line.set_message("line " + std::to_string(i));
      pmt.service.logs.messages.push_back(line);
    }
  }

  const std::string text_ =
      "00:00:01  rank 0  info     line 1\n"
      "00:00:02  rank 0  info     line 2\n"
      "00:00:03  rank 0  info     line 3\n"
      "00:00:04  rank 0  info     line 4\n";
  Pmt pmt;
};

TEST_F(Logs, PrintsWhatThereIs) {
  const Outcome done = pmt.run({"logs", "job-1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, text_);
  EXPECT_EQ(pmt.service.logs_asked.at(0).job(), "job-1");
  EXPECT_FALSE(pmt.service.logs_asked[0].follow());
}

TEST_F(Logs, AsJsonIsAnObjectALine) {
  const auto lines = pmt.run({"logs", "job-1", "-o", "json"}).json_lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[3]["message"], "line 4");
}

TEST_F(Logs, AFollowedLogGoesOnWhereItBroke) {
  pmt.service.breaks = {2, 1, 3};
  const Outcome done = pmt.run({"logs", "-f", "job-1"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out, text_);
  ASSERT_EQ(pmt.service.logs_asked.size(), 4u);
  EXPECT_TRUE(pmt.service.logs_asked[0].follow());
}

TEST_F(Logs, WithoutALineTheTriesEnd) {
  pmt.service.breaks = std::deque<size_t>(100, 1);
  const Outcome done = pmt.run({"logs", "job-1", "--follow"});
  EXPECT_EQ(done.code, 16);
  EXPECT_EQ(done.out, text_.substr(0, text_.find('\n') + 1));
  EXPECT_GT(pmt.service.breaks.size(), 80u);
}

TEST_F(Logs, SaysThatThereIsNoneAndWhy) {
  pmt.service.logs.messages.clear();
  v1::Job job = make_job("job-1", "a", v1::JOB_STATE_FAILED);
  job.set_reason("no such model");
  pmt.service.jobs = {job};
  const Outcome done = pmt.run({"logs", "job-1"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "pmt: job job-1 has logged nothing; it is failed: no such model\n");
  pmt.service.jobs[0].set_state(v1::JOB_STATE_QUEUED);
  pmt.service.jobs[0].set_reason("submitted");
  EXPECT_EQ(pmt.run({"logs", "a"}).err,
            "pmt: job job-1 has logged nothing so far; it is queued: submitted\n");
}

TEST_F(Logs, ABrokenOneThatIsNotFollowedIsAFailure) {
  pmt.service.breaks = {2};
  EXPECT_EQ(pmt.run({"logs", "job-1"}).code, 16);
  pmt.service.logs.end = {grpc::StatusCode::NOT_FOUND, "no job has the id or name \"job-1\""};
  EXPECT_EQ(pmt.run({"logs", "job-1"}).code, 12);
}

}  // namespace
}  // namespace prefixmem::client
