#include "worker/agent/attempt/roster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/agent/agent_world.h"
#include "tests/unit/agent/assigned.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;

const AttemptKey kKey{"job-a", 1};
constexpr Millis kPatience{60000};

// Ends well, having said `text`.
const char* const kWell = R"(
rank = Rank()
rank.log("hello")
pathlib.Path(flag("--out"), "result.json").write_text("{}")
)";
const char* const kEndless = "Rank().log('runs'); wait_for_signals()";

// Stands where the stream stands: takes reports and acknowledges them.
class RosterTest : public AgentWorldTest {
 protected:
  ~RosterTest() override { roster_.reset(); }

  void start_with(const std::string& script) {
    AttemptOptions options = options_for(script);
    options.cancel_grace = options.shut_down_grace = Millis(0);
    options.transfer_backoff = {Millis(1), Millis(1), 1, 0};
    roster_ = std::make_unique<Roster>(world_with(std::move(options)));
  }

  static GangAssignment assignment(const AttemptKey& key = kKey) {
    GangAssignment out;
    out.ranks = 2;
    out.attempts = {assigned(key)};
    return out;
  }

  // The next report; none: not in time.
  std::optional<AttemptReport> next() {
    const MonotonicTime deadline = real_clock().monotonic() + kPatience;
    while (real_clock().monotonic() < deadline) {
      roster_->sweep();
      if (auto report = roster_->next_report()) return report;
      roster_->bell().wait_until(deadline);
    }
    return std::nullopt;
  }
  // Notes the messages of a batch of events; the number of its last one.
  int64_t note(const EventBatch& batch) {
    for (const auto& spooled : batch.events) {
      if (const auto* log = std::get_if<LogEvent>(&spooled.event)) said_.push_back(log->message);
      if (const auto* artifact = std::get_if<ArtifactEvent>(&spooled.event)) {
        said_.push_back("artifact " + artifact->path);
      }
    }
    return noted_ = last_number(batch);
  }
  // Acknowledges events until the end comes, which it does not acknowledge.
  AttemptEnd finish() {
    roster_->acknowledge_events(kKey, noted_);
    while (const auto report = next()) {
      if (const auto* end = std::get_if<AttemptEnd>(&report->body)) return *end;
      const int64_t last = note(std::get<EventBatch>(report->body));
      roster_->acknowledge_events(report->key, last);
    }
    ADD_FAILURE() << "no end within " << kPatience.count() << " ms";
    return {};
  }
  // Takes reports without acknowledging until something was said.
  void await_saying(const std::string& text) {
    while (std::find(said_.begin(), said_.end(), text) == said_.end()) {
      const auto report = next();
      ASSERT_TRUE(report && std::holds_alternative<EventBatch>(report->body));
      note(std::get<EventBatch>(report->body));
    }
  }
  bool empties() {
    const MonotonicTime deadline = real_clock().monotonic() + kPatience;
    while (!roster_->known().empty() && real_clock().monotonic() < deadline) {
      roster_->bell().wait_until(deadline);
      roster_->sweep();
    }
    return roster_->wait_until_empty(deadline);
  }
  fs::path attempt_folder() const { return folder_.path() / "work/jobs/job-a/1"; }

  std::unique_ptr<Roster> roster_;
  std::vector<std::string> said_;
  int64_t noted_ = 0;
};

TEST_F(RosterTest, AnAttemptFromAssignmentToAcknowledgement) {
  start_with(kWell);
  roster_->assign(assignment());
  EXPECT_THAT(roster_->known(), ElementsAre(Key(kKey)));
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(said_, ElementsAre("hello", "artifact result.json"));
  EXPECT_THAT(store_.uploads(), ElementsAre("result result.json {}"));
  EXPECT_EQ(roster_->used_slots(), 0);
  EXPECT_THAT(roster_->running(), IsEmpty());
  EXPECT_THAT(roster_->known(), ElementsAre(Key(kKey)));
  EXPECT_TRUE(fs::exists(attempt_folder()));
  roster_->acknowledge_end(kKey);
  roster_->sweep();
  EXPECT_THAT(roster_->known(), IsEmpty());
  EXPECT_FALSE(fs::exists(attempt_folder()));
}

TEST_F(RosterTest, HoldsItsSlotsWhileTheGangRuns) {
  start_with(kEndless);
  roster_->assign(assignment());
  await_saying("runs");
  EXPECT_EQ(roster_->used_slots(), 2);
  EXPECT_FALSE(roster_->wait_until_empty(real_clock().monotonic()));
  EXPECT_EQ(roster_->spooled_events(), 1);
  EXPECT_THAT(roster_->running(), ElementsAre(kKey));
}

TEST_F(RosterTest, ASecondAssignmentOfAnAttemptIsIgnored) {
  start_with("open('" + (folder_.path() / "starts").string() + "', 'a').write('x')" + kWell);
  roster_->assign(assignment());
  await_saying("hello");
  roster_->assign(assignment());
  finish();
  roster_->assign(assignment());
  EXPECT_EQ(*read_file(folder_.path() / "starts"), "x");
}

TEST_F(RosterTest, TheEndWaitsForTheAcknowledgementOfTheLastEvent) {
  start_with(kWell);
  roster_->assign(assignment());
  await_saying("artifact result.json");
  said_.clear();
  roster_->rewind();
  await_saying("artifact result.json");
  EXPECT_THAT(said_, ElementsAre("hello", "artifact result.json"));
  roster_->acknowledge_events(kKey, 1);
  EXPECT_FALSE(roster_->next_report().has_value());
  roster_->acknowledge_events(kKey, 2);
  const auto report = next();
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(std::holds_alternative<AttemptEnd>(report->body));
}

TEST_F(RosterTest, TheEndIsToldAgainOnANewConnectionUntilAcknowledged) {
  start_with(kWell);
  roster_->assign(assignment());
  finish();
  EXPECT_FALSE(roster_->next_report().has_value());
  for (int round = 0; round < 2; ++round) {
    roster_->rewind();
    const auto report = roster_->next_report();
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(std::holds_alternative<AttemptEnd>(report->body));
  }
}

TEST_F(RosterTest, AFailureEndsWithItsCodeAndTheTailOfStderr) {
  start_with("Rank(); say('weights are cut short'); sys.exit(14)");
  roster_->assign(assignment());
  const AttemptEnd end = finish();
  EXPECT_EQ(end.status.to_string(), "DATA_LOSS: weights are cut short");
  EXPECT_EQ(end.stderr_tail, "weights are cut short\n");
}

TEST_F(RosterTest, AGangThatLeavesNoResultHasFailed) {
  start_with("Rank()");
  roster_->assign(assignment());
  EXPECT_THAT(finish().status.message(), HasSubstr("left no result.json"));
}

TEST_F(RosterTest, ABadSpecEndsBeforeTheStart) {
  start_with(kWell);
  GangAssignment bad = assignment();
  bad.attempts[0].spec_yaml += "trian: {}\n";
  roster_->assign(std::move(bad));
  const AttemptEnd end = finish();
  EXPECT_EQ(end.status.code(), Code::kInvalidArgument);
  EXPECT_THAT(end.status.message(), HasSubstr("trian"));
}

TEST_F(RosterTest, AGangWithoutRanksEndsBeforeTheStart) {
  start_with(kWell);
  GangAssignment bad = assignment();
  bad.ranks = 0;
  roster_->assign(std::move(bad));
  EXPECT_EQ(finish().status.to_string(), "INVALID_ARGUMENT: ranks is 0; allowed: at least 1");
}

TEST_F(RosterTest, ACancelledAttempt) {
  start_with(kEndless);
  roster_->assign(assignment());
  await_saying("runs");
  roster_->cancel(kKey, "the user asked");
  EXPECT_EQ(finish().status.to_string(), "CANCELLED: the user asked");
}

TEST_F(RosterTest, ACancelMaySayHowLongACheckpointMayTake) {
  start_with(R"(
rank = Rank()
signal.signal(signal.SIGUSR1, lambda *_: rank.log("writes a checkpoint"))
rank.log("runs")
wait_for_signals()
)");
  roster_->assign(assignment());
  await_saying("runs");
  roster_->cancel(kKey, "room for another", kPatience);
  await_saying("writes a checkpoint");  // the worker's own time is none at all
  EXPECT_FALSE(roster_->running().empty());
}

TEST_F(RosterTest, ACancelOfAnUnknownAttemptIsAnswered) {
  start_with(kWell);
  roster_->cancel({"job-z", 3}, "the user asked");
  const auto report = roster_->next_report();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->key, (AttemptKey{"job-z", 3}));
  EXPECT_EQ(std::get<AttemptEnd>(report->body).status.code(), Code::kCancelled);
}

TEST_F(RosterTest, AStaleAttemptVanishesWithoutAWord) {
  start_with(kEndless);
  roster_->assign(assignment());
  await_saying("runs");
  roster_->abandon({kKey, {"job-z", 1}});
  roster_->rewind();
  EXPECT_FALSE(roster_->next_report().has_value());
  EXPECT_TRUE(empties());
  EXPECT_FALSE(fs::exists(attempt_folder()));
}

TEST_F(RosterTest, AShutDownSendsTheWorkElsewhere) {
  start_with(kEndless);
  roster_->assign(assignment());
  await_saying("runs");
  roster_->shut_down("worker w is shutting down");
  EXPECT_EQ(finish().status.to_string(), "UNAVAILABLE: worker w is shutting down");
  roster_->assign(assignment({"job-b", 1}));
  const auto refused = roster_->next_report();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(std::get<AttemptEnd>(refused->body).status.code(), Code::kUnavailable);
}

// A checkpoint, which is told only when asked to by the file "go".
std::string checkpoint_script(const fs::path& go) {
  return R"(
rank = Rank()
rank.log("step 5")
name = "checkpoints/step-5"
pathlib.Path(flag("--out"), name).write_text("weights")
wait_for(")" +
         go.string() + R"(")
rank.send(artifact={"kind": "checkpoint", "path": name, "step": 5, "bytes": 7, "seconds": 0})
pathlib.Path(flag("--out"), "result.json").write_text("{}")
)";
}

TEST_F(RosterTest, ACheckpointFollowsTheAcknowledgementOfTheStepsBeforeIt) {
  const fs::path go = folder_.path() / "go";
  start_with(checkpoint_script(go));
  roster_->assign(assignment());
  await_saying("step 5");
  ASSERT_TRUE(write_file_atomic(go, "").ok());
  while (roster_->used_slots() > 0) std::this_thread::yield();
  EXPECT_FALSE(roster_->next_report().has_value());
  EXPECT_THAT(store_.uploads(), IsEmpty());
  roster_->acknowledge_events(kKey, 1);
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(store_.uploads(),
              ElementsAre("checkpoint checkpoints/step-5 weights", "result result.json {}"));
  EXPECT_THAT(said_, ElementsAre("step 5", "artifact checkpoints/step-5", "artifact result.json"));
}

TEST_F(RosterTest, TheMetricsGoBeforeTheirCheckpoint) {
  start_with(R"(
rank = Rank()
out = pathlib.Path(flag("--out"))
(out / "metrics.jsonl").write_text("5 steps")
(out / "checkpoints/step-5").write_text("weights")
rank.send(artifact={"kind": "checkpoint", "path": "checkpoints/step-5", "step": 5,
                    "state_digest": "d1"})
(out / "result.json").write_text("{}")
)");
  roster_->assign(assignment());
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(store_.uploads(),
              ElementsAre("metrics metrics.jsonl 5 steps",
                          "checkpoint checkpoints/step-5 weights of state d1",
                          "metrics metrics.jsonl 5 steps", "result result.json {}"));
}

TEST_F(RosterTest, AFolderGoesFileByFile) {
  start_with(R"(
rank = Rank()
out = pathlib.Path(flag("--out"))
(out / "adapter").mkdir()
(out / "adapter" / "b").write_text("2")
(out / "adapter" / "a").write_text("1")
rank.send(artifact={"kind": "adapter", "path": "adapter", "step": 5})
(out / "result.json").write_text("{}")
)");
  roster_->assign(assignment());
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(store_.uploads(),
              ElementsAre("adapter adapter/a 1", "adapter adapter/b 2", "result result.json {}"));
}

TEST_F(RosterTest, AnUploadIsTriedAgainWhileTheCoordinatorIsAway) {
  store_.answer({unavailable("away"), unavailable("away")});
  start_with(kWell);
  roster_->assign(assignment());
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(store_.uploads(), ElementsAre("result result.json {}"));
}

TEST_F(RosterTest, AnUploadThatIsRefusedFailsTheAttempt) {
  store_.answer({failed_precondition("not the current attempt")});
  start_with(kWell);
  roster_->assign(assignment());
  EXPECT_EQ(finish().status.to_string(), "FAILED_PRECONDITION: not the current attempt");
  EXPECT_THAT(said_, ElementsAre("hello", "result.json was not uploaded: not the current attempt"));
}

TEST_F(RosterTest, ACheckpointThatWasPrunedIsPassedOver) {
  start_with(R"(
rank = Rank()
rank.send(artifact={"kind": "checkpoint", "path": "checkpoints/step-1", "step": 1})
pathlib.Path(flag("--out"), "result.json").write_text("{}")
)");
  roster_->assign(assignment());
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(said_.front(), HasSubstr("checkpoints/step-1 gave way to a newer one"));
}

// An attempt that resumed from step 25 would compare with the evaluation of step 20.
TEST_F(RosterTest, InPlaceOfABestAdapterThatGaveWayGoesTheNewerOne) {
  start_with(R"(
rank = Rank()
out = pathlib.Path(flag("--out"))
for step in (20, 30):
    (out / "best_adapter" / f"step-{step}").mkdir(parents=True)
    (out / "best_adapter" / f"step-{step}" / "weights").write_text(str(step))
for step in (25, 35):
    (out / "checkpoints" / f"step-{step}").write_text(str(step))
rank.send(artifact={"kind": "best_adapter", "path": "best_adapter/step-10", "step": 10})
rank.send(artifact={"kind": "best_adapter", "path": "best_adapter/step-20", "step": 20})
rank.send(artifact={"kind": "checkpoint", "path": "checkpoints/step-25", "step": 25})
rank.send(artifact={"kind": "best_adapter", "path": "best_adapter/step-30", "step": 30})
rank.send(artifact={"kind": "checkpoint", "path": "checkpoints/step-35", "step": 35})
(out / "result.json").write_text("{}")
)");
  roster_->assign(assignment());
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(store_.uploads(),
              ElementsAre("best_adapter best_adapter/step-30/weights 30",
                          "checkpoint checkpoints/step-25 25", "checkpoint checkpoints/step-35 35",
                          "result result.json {}"));
  EXPECT_THAT(said_, ElementsAre("artifact best_adapter/step-30",
                                 "best_adapter/step-20 gave way to a newer one before its upload",
                                 "artifact checkpoints/step-25", "artifact best_adapter/step-30",
                                 "artifact checkpoints/step-35", "artifact result.json"));
}

TEST_F(RosterTest, AnArtifactOutsideTheOutputIsRefused) {
  start_with(R"(
rank = Rank()
rank.send(artifact={"kind": "adapter", "path": "../spec.yaml", "step": 1})
pathlib.Path(flag("--out"), "result.json").write_text("{}")
)");
  roster_->assign(assignment());
  EXPECT_THAT(finish().status.message(), HasSubstr("outside its output folder"));
  EXPECT_THAT(store_.uploads(), IsEmpty());
}

TEST_F(RosterTest, WhatToResumeFromIsThereBeforeTheStart) {
  start_with(R"(
rank = Rank()
out = pathlib.Path(flag("--out"))
rank.log((out / "checkpoints" / "step-5").read_text())
rank.log((out / "metrics.jsonl").read_text())
(out / "result.json").write_text("{}")
)");
  GangAssignment resumed = assignment({"job-a", 2});
  resumed.attempts[0].resume_from = Artifact{"checkpoints/step-5", "checkpoint", 5, 7, "digest"};
  resumed.attempts[0].resume_metrics = Artifact{"metrics.jsonl", "metrics", 5, 7, "other"};
  roster_->assign(std::move(resumed));
  EXPECT_TRUE(finish().status.ok());
  ASSERT_GE(said_.size(), 2u);
  EXPECT_EQ(said_[0], "job-a digest");
  EXPECT_EQ(said_[1], "job-a other");
}

TEST_F(RosterTest, ADamagedCheckpointIsPassedOver) {
  start_with(R"(
rank = Rank()
out = pathlib.Path(flag("--out"))
rank.log(" ".join(sorted(file.name for file in (out / "checkpoints").iterdir())))
(out / "result.json").write_text("{}")
)");
  GangAssignment resumed = assignment({"job-a", 2});
  Assignment& attempt = resumed.attempts[0];
  attempt.resume_from = Artifact{"checkpoints/step-5", "checkpoint", 5, 7, FakeStore::kDamaged};
  attempt.resume_before = Artifact{"checkpoints/step-3", "checkpoint", 3, 7, "digest"};
  roster_->assign(std::move(resumed));
  EXPECT_TRUE(finish().status.ok());
  ASSERT_GE(said_.size(), 2u);
  EXPECT_EQ(said_[0], "checkpoints/step-5 is damaged and passed over: the bytes are others");
  EXPECT_EQ(said_[1], "step-3");
}

TEST_F(RosterTest, WhereAllCheckpointsAreDamagedAJobBeginsAtTheBeginning) {
  start_with(R"(
rank = Rank()
out = pathlib.Path(flag("--out"))
rank.log(f"{len(list((out / 'checkpoints').iterdir()))} checkpoints")
(out / "result.json").write_text("{}")
)");
  GangAssignment resumed = assignment({"job-a", 2});
  Assignment& attempt = resumed.attempts[0];
  attempt.resume_from = Artifact{"checkpoints/step-5", "checkpoint", 5, 7, FakeStore::kDamaged};
  roster_->assign(std::move(resumed));
  EXPECT_TRUE(finish().status.ok());
  ASSERT_GE(said_.size(), 2u);
  EXPECT_EQ(said_[1], "0 checkpoints");
}

TEST_F(RosterTest, APathOutsideTheOutputIsNotFetched) {
  start_with(kWell);
  GangAssignment bad = assignment();
  bad.attempts[0].resume_metrics = Artifact{"../metrics.jsonl", "metrics", 5, 7, "digest"};
  roster_->assign(std::move(bad));
  EXPECT_THAT(finish().status.message(), HasSubstr("resume_metrics.path is \"../metrics.jsonl\""));
}

TEST_F(RosterTest, TellsOfItsAttemptsInTurn) {
  start_with(kWell);
  roster_->assign(assignment({"job-a", 1}));
  roster_->assign(assignment({"job-b", 1}));
  std::map<std::string, int> ends;
  while (ends.size() < 2) {
    const auto report = next();
    ASSERT_TRUE(report.has_value());
    if (const auto* batch = std::get_if<EventBatch>(&report->body)) {
      roster_->acknowledge_events(report->key, note(*batch));
    } else {
      EXPECT_EQ(++ends[report->key.job_id], 1);
    }
  }
}

}  // namespace
}  // namespace prefixmem::agent
