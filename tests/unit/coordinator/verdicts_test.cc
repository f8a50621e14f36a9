// lease.h, fence.h and conclude.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/scheduler/conclude.h"
#include "coordinator/scheduler/fence.h"
#include "coordinator/scheduler/lease.h"
#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

MonotonicTime at(int64_t millis) { return MonotonicTime(Millis(millis)); }

std::vector<std::string> lost_at(int64_t millis, const State& state) {
  std::vector<std::string> texts;
  for (const auto& lost : expired_leases(at(millis), state, {.lease = Millis(15000)})) {
    texts.push_back(lost.id + " " + lost.reason);
  }
  return texts;
}

TEST(Lease, EndsWhenTheWorkerIsSilentForLonger) {
  State state{.workers = {worker("a", 1), worker("b", 1)}};
  state.workers[1].last_heard = at(10000);
  EXPECT_THAT(lost_at(15000, state), IsEmpty());
  EXPECT_THAT(lost_at(15200, state), ElementsAre("a was silent for 15.2 s"));
  EXPECT_THAT(lost_at(25001, state),
              ElementsAre("a was silent for 25.0 s", "b was silent for 15.0 s"));
}

TEST(Lease, AStreamThatIsDownLeavesTheLease) {
  State state{.workers = {worker("a", 1)}};
  state.workers[0].connected = false;
  EXPECT_THAT(lost_at(15000, state), IsEmpty());
  EXPECT_THAT(lost_at(15001, state), ElementsAre("a was silent for 15.0 s"));
}

TEST(Lease, ALostWorkerIsNotLostAgain) {
  State state{.workers = {worker("a", 1)}};
  state.workers[0].lost = true;
  EXPECT_THAT(lost_at(99000, state), IsEmpty());
}

TEST(Lease, NoneEndsInTheGraceTime) {
  const State state{.workers = {worker("a", 1)}, .grace_end = at(30000)};
  EXPECT_THAT(lost_at(29999, state), IsEmpty());
  EXPECT_THAT(lost_at(30000, state), ElementsAre("a was silent for 30.0 s"));
}

TEST(Fence, OnlyTheCurrentAttemptMaySpeak) {
  const Attempt current = placed(job("j", 1), "w", 2);
  EXPECT_TRUE(fence({"j", 2}, &current).ok());
  EXPECT_EQ(fence({"j", 1}, &current).to_string(),
            "FAILED_PRECONDITION: attempt 1 of j is not current: attempt 2 is");
  EXPECT_EQ(fence({"j", 2}, nullptr).to_string(),
            "FAILED_PRECONDITION: attempt 2 of j is not current: no attempt of the job is placed");
}

std::vector<std::string> texts(const std::vector<AttemptKey>& keys) {
  std::vector<std::string> texts;
  for (const AttemptKey& key : keys) {
    texts.push_back(key.job_id + "/" + std::to_string(key.attempt));
  }
  return texts;
}

TEST(Reconcile, SortsWhatAWorkerReports) {
  const std::vector<Held> held = {{placed(job("runs", 1), "w", 2), true},
                                  {placed(job("starts", 2), "w"), false},
                                  {placed(job("unheard", 3), "w"), false},
                                  {placed(job("vanished", 4), "w", 3), true}};
  const Reconciliation found =
      reconcile({{"runs", 2}, {"starts", 1}, {"vanished", 2}, {"unknown", 1}}, held);
  EXPECT_THAT(texts(found.kept), ElementsAre("runs/2", "starts/1"));
  EXPECT_THAT(texts(found.stale), ElementsAre("vanished/2", "unknown/1"));
  EXPECT_THAT(texts(found.resent), ElementsAre("unheard/1"));
  EXPECT_THAT(texts(found.gone), ElementsAre("vanished/3"));
}

// One may have been on its way to join a gang whose others are known.
TEST(Reconcile, EachAttemptOfAGangIsJudgedByItself) {
  const std::vector<Held> held = {{placed(job("heard", 1), "w", 1, "g"), true},
                                  {placed(job("unheard", 2), "w", 1, "g"), false},
                                  {placed(job("reported", 3), "w", 1, "h"), false},
                                  {placed(job("missing", 4), "w", 4, "h"), false}};
  const Reconciliation found = reconcile({{"reported", 1}}, held);
  EXPECT_THAT(texts(found.kept), ElementsAre("reported/1"));
  EXPECT_THAT(texts(found.gone), ElementsAre("heard/1"));
  EXPECT_THAT(texts(found.resent), ElementsAre("unheard/1", "missing/4"));
}

TEST(Reconcile, NothingReportedAndNothingHeld) {
  const Reconciliation found = reconcile({}, {});
  EXPECT_THAT(found.kept, IsEmpty());
  EXPECT_THAT(found.stale, IsEmpty());
  EXPECT_THAT(found.resent, IsEmpty());
  EXPECT_THAT(found.gone, IsEmpty());
}

Attempt retried(int retries) {
  Attempt attempt = placed(job("j", 1), "w", retries + 1);
  attempt.job.retries = retries;
  return attempt;
}

Conclusion concluded(const Attempt& attempt, const Status& end) {
  return conclude(attempt, {.status = end}, {.max_retries = 3});
}

TEST(Conclude, AnEndWithoutFailureIsSuccess) {
  const Conclusion end = concluded(retried(0), {});
  EXPECT_EQ(end.outcome, Outcome::kSucceeded);
  EXPECT_EQ(end.reason, "finished");
}

TEST(Conclude, OnlyAnUnavailableWorkerIsTriedAgain) {
  for (size_t i = 1; i < kCodeNames.size(); ++i) {
    const auto code = static_cast<Code>(i);
    if (code == Code::kUnavailable || code == Code::kCancelled) continue;
    const Conclusion end = concluded(retried(0), Status(code, "row 3 has no prompt"));
    EXPECT_EQ(end.outcome, Outcome::kFailed) << kCodeNames.at(i);
    EXPECT_EQ(end.code, code);
    EXPECT_EQ(end.reason, "row 3 has no prompt");
  }
  const Conclusion end = concluded(retried(0), unavailable("worker w was silent for 16.0 s"));
  EXPECT_EQ(end.outcome, Outcome::kRetry);
  EXPECT_EQ(end.reason, "worker w was silent for 16.0 s; retry 1 of 3");
}

TEST(Conclude, AFullDiskIsTriedAgainAndItsBankTogether) {
  const Status full(Code::kResourceExhausted, "writing checkpoints/7: No space left on device");
  const Conclusion end = concluded(retried(0), full);
  EXPECT_EQ(end.outcome, Outcome::kRetry);
  EXPECT_EQ(end.reason, full.message() + "; retry 1 of 3");
  const Conclusion last = concluded(retried(3), full);
  EXPECT_EQ(last.outcome, Outcome::kFailed);
  EXPECT_EQ(last.code, Code::kResourceExhausted);
  const Conclusion shared =
      conclude(retried(0), {.status = full, .shared_by = 4}, {.max_retries = 3});
  EXPECT_EQ(shared.outcome, Outcome::kRetry);
  EXPECT_EQ(shared.bank_limit, 0) << "a smaller gang would have no more room";
  Attempt attempt = retried(0);
  attempt.stop = cancelled("cancelled by a client");
  EXPECT_EQ(concluded(attempt, full).outcome, Outcome::kCancelled);
}

TEST(Conclude, RetriesAreCounted) {
  const Status lost = unavailable("worker w is gone");
  EXPECT_EQ(concluded(retried(2), lost).reason, "worker w is gone; retry 3 of 3");
  const Conclusion last = concluded(retried(3), lost);
  EXPECT_EQ(last.outcome, Outcome::kFailed);
  EXPECT_EQ(last.code, Code::kUnavailable);
  EXPECT_EQ(last.reason, "worker w is gone; given up after 3 retries");
  EXPECT_EQ(conclude(retried(1), {.status = lost}, {.max_retries = 1}).reason,
            "worker w is gone; given up after 1 retry");
}

TEST(Conclude, ADrainCountsAsNoRetryAndChangesNoOtherEnd) {
  const auto drained = [](const Status& end) {
    return conclude(retried(3), {.status = end, .draining = true}, {.max_retries = 3});
  };
  const Conclusion moved = drained(unavailable("worker w is shutting down"));
  EXPECT_EQ(moved.outcome, Outcome::kMove);
  EXPECT_EQ(moved.reason, "worker w is shutting down; queued again");
  EXPECT_EQ(drained({}).outcome, Outcome::kSucceeded);
  EXPECT_EQ(drained(cancelled("stopped")).outcome, Outcome::kCancelled);
  EXPECT_EQ(drained(internal_error("killed by signal 9")).outcome, Outcome::kFailed);
}

TEST(Conclude, CancelWinsOverEveryFailure) {
  Attempt attempt = retried(0);
  attempt.stop = cancelled("cancelled by a client");
  for (const Status& status :
       {unavailable("gone"), internal_error("killed by signal 9"), cancelled("stopped")}) {
    const Conclusion end = concluded(attempt, status);
    EXPECT_EQ(end.outcome, Outcome::kCancelled) << status.to_string();
    EXPECT_EQ(end.code, Code::kOk);
    EXPECT_EQ(end.reason, "cancelled by a client");
  }
}

TEST(Conclude, WhatFinishedBeforeTheCancelReachedItHasSucceeded) {
  Attempt attempt = retried(0);
  attempt.stop = cancelled("cancelled by a client");
  EXPECT_EQ(concluded(attempt, {}).outcome, Outcome::kSucceeded);
}

TEST(Conclude, WhatWasAskedToLeaveGoesOnElsewhereHoweverItEndedAndNoRetryIsCounted) {
  Attempt attempt = retried(3);
  attempt.stop = unavailable("worker w is drained");
  for (const Status& status :
       {unavailable("worker w was silent for 16.0 s"), cancelled("worker w is drained")}) {
    const Conclusion end = concluded(attempt, status);
    EXPECT_EQ(end.outcome, Outcome::kMove) << status.to_string();
    EXPECT_EQ(end.reason, "worker w is drained; queued again");
    EXPECT_EQ(end.bank_limit, 0) << "it may share a gang again";
  }
  EXPECT_EQ(concluded(attempt, {}).outcome, Outcome::kSucceeded) << "it had finished";
}

TEST(Conclude, WhatWasAskedToLeaveWithItsBankGoesOnInBanks) {
  Attempt attempt = retried(0);
  attempt.stop = unavailable("worker w is drained");
  const Conclusion end =
      conclude(attempt, {.status = internal_error("killed"), .shared_by = 4}, {.max_retries = 3});
  EXPECT_EQ(end.outcome, Outcome::kMove);
  EXPECT_EQ(end.bank_limit, 0);
}

TEST(Conclude, WhatReachesItsTimeLimitHasTimedOut) {
  Attempt attempt = retried(0);
  attempt.job.time = {.text = "2h", .left = Millis(0)};
  const auto expect_timed_out = [](const Conclusion& end) {
    EXPECT_EQ(end.outcome, Outcome::kTimedOut);
    EXPECT_EQ(end.code, Code::kResourceExhausted);
    EXPECT_EQ(end.reason, "the time limit of 2h is used up");
  };
  expect_timed_out(concluded(attempt, unavailable("worker w is gone")));
  expect_timed_out(conclude(attempt, {.status = internal_error("x"), .shared_by = 2}, {}));
  EXPECT_EQ(concluded(attempt, {}).outcome, Outcome::kSucceeded);
  EXPECT_EQ(concluded(attempt, not_found("no model")).reason, "no model") << "its own failure";
  attempt.stop = time_is_up(attempt.job.time);
  expect_timed_out(concluded(attempt, cancelled("stopped")));
  attempt.stop = {};
  attempt.job.time.left = Millis(1);
  EXPECT_EQ(concluded(attempt, unavailable("worker w is gone")).outcome, Outcome::kRetry);
}

TEST(Conclude, AnAgentThatStopsAJobByItselfSaysWhy) {
  const Conclusion end = concluded(retried(0), cancelled("the agent shuts down"));
  EXPECT_EQ(end.outcome, Outcome::kCancelled);
  EXPECT_EQ(end.reason, "the agent shuts down");
}

Conclusion shared(int jobs, const Status& end) {
  return conclude(retried(3), {.status = end, .shared_by = jobs}, {.max_retries = 3});
}

TEST(Conclude, WhatAnotherMayHaveCausedIsTriedApart) {
  for (const Status& end : {internal_error("rank 0 was killed by signal 11"),
                            unavailable("rank 1 does not answer"), not_found("no such model")}) {
    const Conclusion apart = shared(4, end);
    EXPECT_EQ(apart.outcome, Outcome::kMove) << end.to_string();
    EXPECT_EQ(apart.bank_limit, 1);
    EXPECT_EQ(apart.reason, end.message() + "; queued again for a gang of its own");
  }
  EXPECT_EQ(shared(1, internal_error("x")).outcome, Outcome::kFailed);
}

TEST(Conclude, WhatRanOutIsTriedByHalfAsMany) {
  const Status end = resource_exhausted("no device memory");
  EXPECT_EQ(shared(12, end).bank_limit, 6);
  EXPECT_EQ(shared(12, end).reason, "no device memory; queued again for a gang of at most 6 jobs");
  EXPECT_EQ(shared(3, end).bank_limit, 1);
  EXPECT_EQ(shared(2, end).reason, "no device memory; queued again for a gang of its own");
  EXPECT_EQ(shared(1, end).outcome, Outcome::kFailed);
}

}  // namespace
}  // namespace prefixmem::scheduler
