// A bank's attempts in one gang: each ends by itself.
#include "worker/agent/attempt/gang_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "common/files.h"
#include "tests/unit/agent/agent_world.h"
#include "tests/unit/agent/assigned.h"
#include "worker/agent/attempt/bell.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr Millis kPatience{60000};

// What the fake trainer of a bank begins with.
const char* const kBegin = R"(
rank = Rank()
def finish(trial):
    pathlib.Path(trials()[trial]["out"], "result.json").write_text(str(trial))
    rank.result(trial)
)";

// Acknowledges what the attempts report, and notes it.
class GangRunTest : public AgentWorldTest {
 protected:
  void start_with(const std::string& script, int jobs = 3) {
    AttemptOptions options = options_for(kBegin + script);
    options.cancel_grace = options.shut_down_grace = cancel_grace_;
    world_.emplace(world_with(std::move(options)));
    GangAssignment gang{.gang = gang_name_, .ranks = 2, .attempts = {}};
    for (int i = 0; i < jobs; ++i) gang.attempts.push_back(assigned({name_of(i), 1}));
    if (edit_) edit_(gang);
    run_.emplace(std::move(gang), std::vector<std::string>(), *world_, [this] { bell_.ring(); });
  }
  static std::string name_of(int job) {
    return "job-" + std::string(1, static_cast<char>('a' + job));
  }
  Attempt& attempt(int job) { return *run_->attempts().at(static_cast<size_t>(job)); }

  // Until `done`, which is looked at after every change.
  template <class Done>
  void until(Done done) {
    const MonotonicTime deadline = real_clock().monotonic() + kPatience;
    while (!done()) {
      ASSERT_LT(real_clock().monotonic(), deadline) << "not in time";
      if (!take_reports()) bell_.wait_until(deadline);
    }
  }
  void until_said(const std::string& text) {
    until([&] { return std::find(said_.begin(), said_.end(), text) != said_.end(); });
  }
  void until_all_end() {
    until([&] { return ends_.size() == run_->attempts().size() && !run_->holds_slots(); });
  }
  std::string end_of(int job) { return ends_.at(name_of(job)).status.to_string(); }
  // Makes the file that a script waits for.
  void go(const std::string& name = "go") {
    ASSERT_TRUE(write_file_atomic(folder_.path() / name, "").ok());
  }
  std::string go_path() const { return "'" + (folder_.path() / "go").string() + "'"; }

  std::string gang_name_;  // others may join where it has one
  std::function<void(GangAssignment&)> edit_;
  Millis cancel_grace_{60000};
  Bell bell_;
  std::optional<AttemptWorld> world_;
  std::map<std::string, AttemptEnd> ends_;  // by job
  std::vector<std::string> said_;           // "job-a: text" in the order heard

 private:
  bool take_reports() {
    bool any = false;
    for (const auto& attempt : run_->attempts()) {
      while (const auto report = attempt->next_report()) {
        any = true;
        note(*attempt, *report);
      }
    }
    return any;
  }
  void note(Attempt& attempt, const AttemptReport& report) {
    if (const auto* end = std::get_if<AttemptEnd>(&report.body)) {
      ends_[report.key.job_id] = *end;
      return attempt.acknowledge_end();
    }
    const auto& batch = std::get<EventBatch>(report.body);
    for (const auto& spooled : batch.events) {
      const auto* log = std::get_if<LogEvent>(&spooled.event);
      if (log) said_.push_back(report.key.job_id + ": " + log->message);
    }
    attempt.acknowledge_events(last_number(batch));
  }

 protected:
  std::optional<GangRun> run_;  // last: uses all of the above
};

TEST_F(GangRunTest, MembersEndAtDifferentTimesAndTheLastWithTheGang) {
  start_with("finish(1); finish(0); wait_for(" + go_path() +
             "); finish(2); rank.fail(2, 'INTERNAL', 'too late'); wait_for(" + go_path() +
             " + '2')");
  until([&] { return ends_.size() == 2; });
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_TRUE(run_->holds_slots());
  go();
  until([&] { return attempt(2).closed() && attempt(2).spooled() == 0; });
  EXPECT_TRUE(run_->holds_slots());
  EXPECT_FALSE(attempt(2).next_report().has_value()) << "the gang still lives";
  go("go2");
  until_all_end();
  EXPECT_EQ(end_of(2), "OK");
  EXPECT_FALSE(run_->holds_slots());
  EXPECT_THAT(store_.uploads(), UnorderedElementsAre("result result.json 0", "result result.json 1",
                                                     "result result.json 2"));
}

TEST_F(GangRunTest, EventsGoToTheirTrialAndThoseOfTheGangToAllThatTrain) {
  start_with(R"(
rank.log("of b", 1)
rank.fail(0, "DATA_LOSS", "row 3 is cut short")
rank.log("of all")
finish(1)
)",
             2);
  until_all_end();
  EXPECT_THAT(said_, ElementsAre("job-b: of b", "job-b: of all"));
  EXPECT_EQ(end_of(0), "DATA_LOSS: row 3 is cut short");
  EXPECT_FALSE(ends_.at("job-a").shared);
  EXPECT_EQ(end_of(1), "OK");
}

TEST_F(GangRunTest, ACancelEndsOneTrialAlone) {
  start_with(R"(
rank.log("runs")
stopped = rank.hear()["stop"]["trial"]
rank.log("checkpoint written", stopped)
rank.fail(stopped, "CANCELLED", "stopped")
for trial in {0, 1, 2} - {stopped}:
    finish(trial)
)");
  until_said("job-a: runs");
  attempt(1).stop(StopKind::kCancel, "the user asked");
  until_all_end();
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(1), "CANCELLED: the user asked");
  EXPECT_EQ(end_of(2), "OK");
  EXPECT_THAT(said_, testing::Contains("job-b: checkpoint written"));
}

TEST_F(GangRunTest, ADeafTrialIsLeftBehindAndTheOthersGoOn) {
  cancel_grace_ = Millis(20);
  start_with("rank.log('runs'); wait_for(" + go_path() +
             "); rank.log('late', 1); finish(1); finish(0); finish(2)");
  until_said("job-a: runs");
  attempt(1).stop(StopKind::kCancel, "the user asked");
  until([&] { return ends_.contains("job-b"); });
  EXPECT_EQ(end_of(1), "CANCELLED: the user asked");
  EXPECT_TRUE(run_->holds_slots());
  go();
  until_all_end();
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(2), "OK");
  EXPECT_THAT(said_, testing::Not(testing::Contains("job-b: late")));
}

TEST_F(GangRunTest, AStopOfAllIsAStopOfTheGang) {
  start_with(R"(
def leave(*_):
    for trial in range(3):
        rank.fail(trial, "CANCELLED", "stopped")
    sys.exit(17)
signal.signal(signal.SIGUSR1, leave)
rank.log("runs")
wait_for_signals()
)");
  until_said("job-a: runs");
  for (const auto& attempt : run_->attempts()) {
    attempt->stop(StopKind::kShutDown, "worker w is shutting down");
  }
  until_all_end();
  for (int job = 0; job < 3; ++job) {
    EXPECT_EQ(end_of(job), "UNAVAILABLE: worker w is shutting down");
  }
}

TEST_F(GangRunTest, TheLastThatTrainsIsStoppedWithTheGang) {
  cancel_grace_ = Millis(20);
  start_with("finish(0); finish(2); rank.log('runs', 1); wait_for_signals()");
  until_said("job-b: runs");
  attempt(1).stop(StopKind::kCancel, "the user asked");
  until_all_end();
  EXPECT_EQ(end_of(1), "CANCELLED: the user asked");
  EXPECT_FALSE(run_->holds_slots());
}

TEST_F(GangRunTest, AGangThatDiesFailsWhoHasNotEnded) {
  start_with("finish(2); say('out of luck'); os.kill(os.getpid(), signal.SIGKILL)");
  until_all_end();
  EXPECT_EQ(end_of(2), "OK");
  EXPECT_FALSE(ends_.at("job-c").shared);
  for (const int job : {0, 1}) {
    const AttemptEnd& end = ends_.at(name_of(job));
    EXPECT_EQ(end.status.code(), Code::kUnavailable);
    EXPECT_THAT(end.status.message(), HasSubstr("killed by signal 9"));
    EXPECT_EQ(end.stderr_tail, "out of luck\n");
    EXPECT_TRUE(end.shared);
  }
}

TEST_F(GangRunTest, AGangThatForgetsATrialHasFailedIt) {
  start_with("finish(0)", 2);
  until_all_end();
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(1), "INTERNAL: the gang ended well but told no end of this trial");
}

TEST_F(GangRunTest, AMemberThatCannotStartIsLeftOut) {
  edit_ = [](GangAssignment& gang) { gang.attempts[0].spec_yaml += "trian: {}\n"; };
  start_with("rank.log(len(trials())); finish(0); finish(1)");
  until_all_end();
  EXPECT_EQ(ends_.at("job-a").status.code(), Code::kInvalidArgument);
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_EQ(end_of(2), "OK");
  EXPECT_THAT(said_, UnorderedElementsAre("job-b: 2", "job-c: 2"));
}

TEST_F(GangRunTest, TheOnlyOneLeftTrainsAlone) {
  edit_ = [](GangAssignment& gang) { gang.attempts[0].spec_yaml += "trian: {}\n"; };
  start_with("rank.log('alone'); pathlib.Path(flag('--out'), 'result.json').write_text('{}')", 2);
  until_all_end();
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_THAT(said_, ElementsAre("job-b: alone"));
}

TEST_F(GangRunTest, AFailedUploadEndsItsTrialAlone) {
  store_.answer({failed_precondition("not the current attempt")});
  start_with(R"(
pathlib.Path(trials()[0]["out"], "adapter").write_text("x")
rank.send(artifact={"kind": "adapter", "path": "adapter", "step": 1}, trial=0)
stopped = rank.hear()["stop"]["trial"]
rank.log(stopped)
finish(1)
)",
             2);
  until_all_end();
  EXPECT_EQ(end_of(0), "FAILED_PRECONDITION: not the current attempt");
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_THAT(said_, testing::Contains("job-b: 0"));
}

TEST_F(GangRunTest, AnAbandonedTrialVanishesWithoutAWord) {
  start_with("rank.log('runs', 1); rank.log(rank.hear()['stop']['trial'], 1); finish(1)", 2);
  until_said("job-b: runs");
  attempt(0).stop(StopKind::kAbandon, "not current");
  until([&] { return ends_.contains("job-b") && attempt(0).finished(); });
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_FALSE(ends_.contains("job-a"));
  EXPECT_FALSE(run_->holds_slots()) << "the other's end is the last";
}

TEST_F(GangRunTest, AnotherJoinsWhileTheGangRuns) {
  gang_name_ = "g";
  start_with(R"(
other = Rank(1)
rank.log("runs", 0)
joins = [r.hear()["join"] for r in (rank, other)]
assert joins[0] == joins[1]
finish(0)
rank.log("joined", 1)
wait_for()" + go_path() +
                 R"()
pathlib.Path(joins[0]["out"], "result.json").write_text("of b")
rank.result(1)
)",
             1);
  until_said("job-a: runs");
  ASSERT_NE(run_->join(assigned({"job-b", 1})), nullptr);
  until_said("job-b: joined");
  until([&] { return ends_.contains("job-a"); });
  EXPECT_TRUE(run_->holds_slots()) << "an end is not held back for those that joined";
  go();
  until_all_end();
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_EQ(run_->join(assigned({"job-c", 1})), nullptr) << "the gang is gone";
  EXPECT_THAT(store_.uploads(),
              UnorderedElementsAre("result result.json 0", "result result.json of b"));
}

// The ranks leave without it: the next mpirun is its own.
TEST_F(GangRunTest, OneThatCameTooLateTrainsInTheNextGang) {
  gang_name_ = "g";
  start_with(R"(
rank.log("runs", 0)
if "job-a" in trials()[0]["out"]:
    rank.hear()
finish(0)
)",
             1);
  until_said("job-a: runs");
  ASSERT_NE(run_->join(assigned({"job-b", 1})), nullptr);
  until_all_end();
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_THAT(said_, ElementsAre("job-a: runs", "job-b: runs"));
  EXPECT_FALSE(run_->holds_slots());
}

// The gang's thread is not to wait for the coordinator's files.
TEST_F(GangRunTest, OneThatHasACheckpointToFetchTrainsInTheNextGang) {
  gang_name_ = "g";
  start_with(R"(
rank.log("runs", 0)
if "job-a" in trials()[0]["out"]:
    wait_for()" + go_path() +
                 R"()
else:
    rank.log(pathlib.Path(trials()[0]["out"], "checkpoints/c").read_text(), 0)
finish(0)
)",
             1);
  until_said("job-a: runs");
  Assignment resuming = assigned({"job-b", 2});
  resuming.resume_from = Artifact{"checkpoints/c", "checkpoint", 3, 1, "sum"};
  ASSERT_NE(run_->join(resuming), nullptr);
  go();
  until_all_end();
  EXPECT_EQ(end_of(0), "OK");
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_THAT(said_, ElementsAre("job-a: runs", "job-b: runs", "job-b: job-b sum"));
}

TEST_F(GangRunTest, OneThatJoinsAGangThatDiesIsTriedByItself) {
  gang_name_ = "g";
  start_with(R"(
rank.log("runs", 0)
if "job-a" in trials()[0]["out"]:
    rank.hear()
    os.kill(os.getpid(), signal.SIGKILL)
finish(0)
)",
             1);
  until_said("job-a: runs");
  ASSERT_NE(run_->join(assigned({"job-b", 1})), nullptr);
  until_all_end();
  EXPECT_THAT(end_of(0), HasSubstr("killed by signal 9"));
  EXPECT_FALSE(ends_.at("job-a").shared) << "it was alone";
  EXPECT_EQ(end_of(1), "OK");
}

TEST_F(GangRunTest, NobodyJoinsAGangThatIsToStop) {
  gang_name_ = "g";
  start_with(R"(
def leave(*_):
    wait_for()" + go_path() +
                 R"()
    rank.fail(0, "CANCELLED", "stopped")
    sys.exit(17)
signal.signal(signal.SIGUSR1, leave)
rank.log("runs", 0)
if "job-a" in trials()[0]["out"]:
    wait_for_signals()
finish(0)
)",
             1);
  until_said("job-a: runs");
  attempt(0).stop(StopKind::kCancel, "the user asked");
  ASSERT_NE(run_->join(assigned({"job-b", 1})), nullptr);
  go();
  until_all_end();
  EXPECT_EQ(end_of(0), "CANCELLED: the user asked");
  EXPECT_EQ(end_of(1), "OK");
  EXPECT_THAT(said_, ElementsAre("job-a: runs", "job-b: runs"));
}

TEST_F(GangRunTest, FoldersLiveAsLongAsTheRun) {
  start_with("finish(0); finish(1)", 2);
  until_all_end();
  EXPECT_TRUE(fs::exists(folder_.path() / "work/jobs/job-a/1"));
  EXPECT_TRUE(fs::exists(folder_.path() / "work/gangs/job-a-1/bank.json"));
  run_.reset();
  EXPECT_TRUE(fs::is_empty(folder_.path() / "work/jobs"));
  EXPECT_TRUE(fs::is_empty(folder_.path() / "work/gangs"));
}

}  // namespace
}  // namespace prefixmem::agent
