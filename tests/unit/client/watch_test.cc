#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

const grpc::Status kRestarting(grpc::StatusCode::UNAVAILABLE, "restarting");

class Watch : public testing::Test {
 protected:
  // One job, or the newest trial of a sweep, with its events.
  void add_job(const std::string& id, const std::string& name, v1::JobState end,
               const std::string& reason = "") {
    v1::Job job = make_job(id, name, v1::JOB_STATE_QUEUED);
    job.set_sweep_id("sweep-1");
    pmt.service.jobs.insert(pmt.service.jobs.begin(), job);
    pmt.service.events[id] = events_of(id, end, reason);
  }

  v1::Sweep& add_sweep(v1::SweepState end = v1::SWEEP_STATE_FINISHED) {
    v1::Sweep& sweep = pmt.service.sweeps.emplace_back();
    sweep.set_id("sweep-1");
    sweep.set_name("rates");
    sweep.set_state(end);
    return sweep;
  }

  // Its search begins the newest of them as soon as the one before has ended.
  void begins_after(const std::string& id, const std::string& before) {
    pmt.service.begins_after[before] = pmt.service.jobs[0];
    ASSERT_EQ(pmt.service.jobs[0].id(), id);
    pmt.service.jobs.erase(pmt.service.jobs.begin());
  }

  std::vector<int> numbers_of(const std::vector<nlohmann::json>& events, const std::string& job) {
    std::vector<int> numbers;
    for (const auto& event : events) {
      if (event["job_id"] == job) numbers.push_back(std::stoi(event["number"].get<std::string>()));
    }
    return numbers;
  }

  const std::vector<int> all_ = {1, 2, 3, 4, 5, 6, 7};
  Pmt pmt;
};

TEST_F(Watch, IsALineAnEvent) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  const Outcome done = pmt.run({"watch", "banking"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "00:00:01  banking  queued\n"
            "00:00:02  banking  running\n"
            "00:00:03  banking  step 1/4  loss 1  lr 0.001  200 tok/s  ETA 1.50s\n"
            "00:00:04  banking  step 2/4  loss 0.5  lr 0.001  200 tok/s  ETA 1.00s\n"
            "00:00:05  banking  step 3/4  loss 0.3333  lr 0.001  200 tok/s  ETA 0.50s\n"
            "00:00:06  banking  step 4/4  loss 0.25  lr 0.001  200 tok/s  ETA 0.00s\n"
            "00:00:07  banking  succeeded\n");
}

TEST_F(Watch, AsJsonIsAnObjectALine) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  const Outcome done = pmt.run({"watch", "job-1", "-o", "json"});
  EXPECT_EQ(done.code, 0);
  const auto lines = done.json_lines();
  EXPECT_EQ(numbers_of(lines, "job-1"), all_);
  EXPECT_EQ(lines[2]["trainer"]["step"]["loss"], 1);
  EXPECT_EQ(lines[6]["state"]["state"], "JOB_STATE_SUCCEEDED");
}

TEST_F(Watch, ExitsByTheWorstEnd) {
  add_job("job-1", "a", v1::JOB_STATE_SUCCEEDED);
  add_job("job-2", "b", v1::JOB_STATE_CANCELLED, "cancelled by a client");
  EXPECT_EQ(pmt.run({"watch", "a", "b"}).code, 3);
  add_job("job-3", "c", v1::JOB_STATE_FAILED, "loss is nan");
  const Outcome done = pmt.run({"watch", "sweep-1"});
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.out, HasSubstr("c  failed: loss is nan\n"));
}

TEST_F(Watch, ASweepIsEachOfItsJobsOnce) {
  add_job("job-1", "a", v1::JOB_STATE_SUCCEEDED);
  add_job("job-2", "b", v1::JOB_STATE_SUCCEEDED);
  pmt.service.largest_page = 1;
  const auto lines = pmt.run({"watch", "sweep-1", "job-1", "-o", "json"}).json_lines();
  EXPECT_EQ(lines.size(), 14u);
  EXPECT_EQ(numbers_of(lines, "job-1"), all_);
  EXPECT_EQ(numbers_of(lines, "job-2"), all_);
}

TEST_F(Watch, ABrokenStreamGoesOnWhereItBroke) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  pmt.service.breaks = {3, 0, 0, 2, 2};
  const Outcome done = pmt.run({"watch", "job-1", "-o", "json"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(numbers_of(done.json_lines(), "job-1"), all_);
  std::vector<int64_t> from;
  for (const auto& request : pmt.service.watched) from.push_back(request.from_number());
  EXPECT_EQ(from, (std::vector<int64_t>{1, 4, 4, 4, 6, 8}));
  EXPECT_THAT(done.err, HasSubstr("the test broke the stream"));
  EXPECT_THAT(done.err, EndsWith("; waiting for it\n"));
}

TEST_F(Watch, AnEventSentTwiceIsShownOnce) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  pmt.service.breaks = {3, 3};
  pmt.service.forgetful = true;
  EXPECT_EQ(numbers_of(pmt.run({"watch", "job-1", "-o", "json"}).json_lines(), "job-1"), all_);
}

TEST_F(Watch, AStreamThatEndsTooEarlyIsOpenedAgain) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  auto& events = pmt.service.events["job-1"];
  events.pop_back();  // the stream ends well, but the job has not
  pmt.feed.patience = Millis(0);
  const Outcome done = pmt.run({"watch", "job-1"});
  EXPECT_EQ(done.code, 16);
  EXPECT_THAT(done.err, HasSubstr("the events of job-1 stopped before its end"));
}

TEST_F(Watch, PatienceEnds) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  pmt.service.breaks = std::deque<size_t>(1000, 0);
  pmt.feed.patience = Millis(0);
  const Outcome done = pmt.run({"watch", "job-1"});
  EXPECT_EQ(done.code, 16);
  EXPECT_THAT(done.err, HasSubstr(pmt.service.address()));
}

TEST_F(Watch, ARefusalEndsIt) {
  add_job("job-1", "banking", v1::JOB_STATE_SUCCEEDED);
  pmt.service.refuse["WatchJob"] = {grpc::StatusCode::DATA_LOSS, "the store is damaged"};
  const Outcome done = pmt.run({"watch", "job-1"});
  EXPECT_EQ(done.code, 14);
  EXPECT_EQ(done.err, "pmt: the store is damaged\n");
}

TEST_F(Watch, NamesAJobThatIsNotThere) {
  const Outcome done = pmt.run({"watch", "sweep-none"});
  EXPECT_EQ(done.code, 12);
  EXPECT_EQ(done.err, "pmt: no job or sweep has the id or name \"sweep-none\"\n");
}

TEST_F(Watch, ASweepGoesByItsNameToo) {
  add_job("job-1", "memory", v1::JOB_STATE_SUCCEEDED);
  add_sweep();
  EXPECT_EQ(numbers_of(pmt.run({"watch", "rates", "-o", "json"}).json_lines(), "job-1"), all_);
}

class WatchedSearch : public Watch {
 protected:
  // Of three trials, two of which are stopped.
  WatchedSearch() {
    add_sweep();
    add_job("job-1", "a", v1::JOB_STATE_SUCCEEDED);
    add_job("job-2", "b", v1::JOB_STATE_CANCELLED, kStopped);
    begins_after("job-2", "job-1");
    add_job("job-3", "c", v1::JOB_STATE_CANCELLED, kStopped);
    begins_after("job-3", "job-2");
  }
  void expect_all(const Outcome& done) {
    EXPECT_EQ(done.code, 0) << "those that a search stops count for nothing: " << done.err;
    for (const char* id : {"job-1", "job-2", "job-3"}) {
      EXPECT_EQ(numbers_of(done.json_lines(), id), all_) << id;
    }
  }

  static constexpr const char* kStopped =
      "stopped by its sweep: loss 2 is not among the best 1 of 3";
};

TEST_F(WatchedSearch, IsFollowedToItsEnd) { expect_all(pmt.run({"watch", "rates", "-o", "json"})); }

TEST_F(WatchedSearch, MayTakeItsTimeForTheNextTrial) {
  pmt.service.late = 2;
  expect_all(pmt.run({"watch", "rates", "-o", "json"}));
}

TEST_F(WatchedSearch, IsFollowedOverACoordinatorThatIsAway) {
  pmt.service.late = 1;
  pmt.service.sweep_failures = {grpc::Status::OK, kRestarting, kRestarting, grpc::Status::OK,
                                kRestarting};
  const Outcome done = pmt.run({"watch", "rates", "-o", "json"});
  expect_all(done);
  EXPECT_THAT(done.err, HasSubstr("restarting"));
  EXPECT_TRUE(pmt.service.sweep_failures.empty());
}

TEST_F(WatchedSearch, IsLeftWhereTheCoordinatorStaysAway) {
  pmt.service.sweep_failures = std::deque<grpc::Status>(10000, kRestarting);
  pmt.service.sweep_failures.front() = grpc::Status::OK;  // its name is known
  pmt.feed.patience = Millis(20);
  EXPECT_EQ(pmt.run({"watch", "rates"}).code, 16);
}

TEST_F(Watch, ATrialByItsNameIsNoSearch) {
  add_job("job-1", "a", v1::JOB_STATE_SUCCEEDED);
  add_sweep();
  add_job("job-2", "b", v1::JOB_STATE_SUCCEEDED);
  begins_after("job-2", "job-1");
  EXPECT_TRUE(numbers_of(pmt.run({"watch", "a", "-o", "json"}).json_lines(), "job-2").empty());
}

TEST_F(Watch, ASearchThatIsGivenUpHasFailed) {
  add_job("job-1", "a", v1::JOB_STATE_SUCCEEDED);
  add_sweep(v1::SWEEP_STATE_FAILED).set_reason("job job-1 has no checkpoint");
  const Outcome done = pmt.run({"watch", "rates"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(done.err, "pmt: sweep-1 failed: job job-1 has no checkpoint\n");
}

TEST_F(Watch, ASearchThatSomebodyEndsIsCancelled) {
  add_job("job-1", "a", v1::JOB_STATE_SUCCEEDED);
  add_sweep(v1::SWEEP_STATE_CANCELLED).set_reason("cancelled by a client");
  const Outcome done = pmt.run({"watch", "rates"});
  EXPECT_EQ(done.code, 3);
  EXPECT_EQ(done.err, "pmt: sweep-1 was cancelled: cancelled by a client\n");
}

TEST_F(Watch, ATrialThatSomebodyEndsIsCancelled) {
  add_job("job-1", "a", v1::JOB_STATE_CANCELLED, "cancelled by a client");
  add_sweep();
  EXPECT_EQ(pmt.run({"watch", "rates"}).code, 3);
}

TEST_F(Watch, OnATerminalIsABarAJob) {
  add_job("job-1", "memory", v1::JOB_STATE_SUCCEEDED);
  add_job("job-2", "lora", v1::JOB_STATE_FAILED, "loss is nan at step 4");
  pmt.terminal = TerminalSize{100, 24};
  const Outcome done = pmt.run({"watch", "sweep-1"});
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.out, EndsWith("\r\x1b[2Kmemory  ████████████████████████  4/4  loss 0.25       "
                                 "200 tok/s  done\n"
                                 "\r\x1b[2Klora    failed: loss is nan at step 4\n\x1b[J"));
  EXPECT_EQ(done.err, "pmt: lora failed: loss is nan at step 4\n") << "in full, whatever the width";
}

TEST_F(Watch, ANarrowTerminalIsNeverOverrun) {
  add_job("job-1", "memory\x1b[2J", v1::JOB_STATE_FAILED, "a reason longer than the terminal");
  pmt.terminal = TerminalSize{20, 3};
  const Outcome done = pmt.run({"watch", "job-1"});
  EXPECT_THAT(done.out, HasSubstr("memory [2J  failed…"));
  EXPECT_THAT(done.out, Not(HasSubstr("memory\x1b")));
  pmt.terminal = TerminalSize{1, 1};
  EXPECT_EQ(pmt.run({"watch", "job-1"}).code, 1);
}

TEST_F(Watch, OnATerminalNothingIsLeftOfABreakThatIsOver) {
  add_job("job-1", "memory", v1::JOB_STATE_SUCCEEDED);
  pmt.service.breaks = {0};
  pmt.terminal = TerminalSize{200, 24};
  const Outcome done = pmt.run({"watch", "job-1"});
  EXPECT_EQ(done.code, 0);
  EXPECT_THAT(done.out, EndsWith("  done\n\x1b[J"));
  EXPECT_EQ(done.err, "");
}

}  // namespace
}  // namespace prefixmem::client
