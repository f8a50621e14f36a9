// Jobs that have others of lower priority leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Job ranked(const std::string& id, int64_t order, int64_t priority, int ranks = 1) {
  Job one = job(id, order, ranks);
  one.priority = priority;
  return one;
}

Attempt running(const Job& job, int began, const std::string& worker_id = "w") {
  Attempt attempt = placed(job, worker_id);
  attempt.began = MonotonicTime(Millis(began));
  return attempt;
}

Placement place(const State& state) { return scheduler::place({}, state, {}); }

TEST(Preempt, AJobOfHigherPriorityHasOneOfLowerLeave) {
  const State state{.workers = {worker("w", 2)},
                    .queue = {ranked("urgent", 2, 5, 2)},
                    .attempts = {running(ranked("idle", 1, 0, 2), 0)}};
  const Placement placement = place(state);
  EXPECT_THAT(leaves_of(placement), ElementsAre("idle for urgent"));
  EXPECT_EQ(placement.leaves[0].reason, "preempted by urgent of priority 5");
  EXPECT_THAT(waits_of(placement),
              ElementsAre("urgent: idle of lower priority is asked to leave worker w"));
  const Placement meanwhile = place(after(state, placement));
  EXPECT_THAT(leaves_of(meanwhile), IsEmpty());
  EXPECT_THAT(waits_of(meanwhile),
              ElementsAre("urgent: waits for 2 slots of worker w, which is being left"));
}

TEST(Preempt, EqualPrioritiesWait) {
  const State state{.workers = {worker("w", 1)},
                    .queue = {ranked("b", 2, 5)},
                    .attempts = {running(ranked("a", 1, 5), 0)}};
  EXPECT_THAT(leaves_of(place(state)), IsEmpty());
}

TEST(Preempt, NobodyLeavesInVain) {
  State state{
      .workers = {worker("w", 4)},
      .queue = {ranked("urgent", 3, 5, 4)},
      .attempts = {running(ranked("low", 1, 0, 2), 0), running(ranked("high", 2, 9, 2), 0)}};
  EXPECT_THAT(leaves_of(place(state)), IsEmpty()) << "high stays, so all 4 are never free";
  state.queue[0].ranks = 2;
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("low for urgent"));
}

TEST(Preempt, TheFewestGangsLeave) {
  const State state{.workers = {worker("w", 4)},
                    .queue = {ranked("urgent", 9, 5, 2)},
                    .attempts = {running(ranked("one", 1, 0), 9), running(ranked("two", 2, 0), 9),
                                 running(ranked("pair", 3, 1, 2), 0)}};
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("pair for urgent"));
}

TEST(Preempt, OfEquallyFewThoseOfLowestPriorityThenTheYoungest) {
  State state{.workers = {worker("w", 3)},
              .queue = {ranked("urgent", 9, 5)},
              .attempts = {running(ranked("a", 1, 1), 50), running(ranked("b", 2, 0), 10),
                           running(ranked("c", 3, 0), 20)}};
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("c for urgent"));
  state.queue[0].ranks = 2;
  EXPECT_THAT(leaves_of(place(state)),
              testing::UnorderedElementsAre("b for urgent", "c for urgent"));
}

TEST(Preempt, TheSameGoesForTheChoiceOfAWorker) {
  State state{.workers = {worker("v", 1), worker("w", 1), worker("x", 2)},
              .queue = {ranked("urgent", 9, 5)},
              .attempts = {running(ranked("a", 1, 1), 50, "v"), running(ranked("b", 2, 0), 10),
                           running(ranked("c", 3, 0, 2), 20, "x")}};
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("c for urgent"));
  state.attempts[2].began = MonotonicTime(Millis(5));
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("b for urgent"));
}

TEST(Preempt, NobodyLeavesAWorkerThatTakesNoWork) {
  State state{.workers = {worker("w", 1), worker("v", 1)},
              .queue = {ranked("urgent", 9, 5)},
              .attempts = {running(ranked("a", 1, 0), 0), running(ranked("b", 2, 5), 0, "v")}};
  for (const auto out : {&Worker::draining, &Worker::cordoned}) {
    state.workers[0].*out = true;
    EXPECT_THAT(leaves_of(place(state)), IsEmpty());
    state.workers[0].*out = false;
  }
  state.workers[0].connected = false;
  EXPECT_THAT(leaves_of(place(state)), IsEmpty());
}

TEST(Preempt, ABankLeavesAsAWhole) {
  Attempt first = running(ranked("a", 1, 0, 2), 0);
  Attempt second = running(ranked("b", 2, 0, 2), 0);
  second.gang = first.gang;
  State state{
      .workers = {worker("w", 2)}, .queue = {ranked("urgent", 9, 5)}, .attempts = {first, second}};
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("a+b for urgent"));
  state.attempts[0].stop = cancelled("cancelled by a client");
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("a+b for urgent")) << "b would hold the slots";
  state.attempts[1].stop = unavailable("preempted");
  EXPECT_THAT(leaves_of(place(state)), IsEmpty());
}

TEST(Preempt, AJobThatWaitsForAnotherToLeaveKeepsItsWorkers) {
  const State state{
      .workers = {worker("w", 2), worker("v", 2)},
      .queue = {ranked("urgent", 9, 5, 2), ranked("small", 10, 0)},
      .attempts = {running(ranked("a", 1, 0, 2), 0), running(ranked("b", 2, 5), 0, "v")}};
  const Placement placement = place(state);
  EXPECT_THAT(leaves_of(placement), ElementsAre("a for urgent"));
  EXPECT_THAT(starts_of(placement), IsEmpty());
}

TEST(Preempt, OneJobATimeMakesOthersLeaveAWorker) {
  const State state{.workers = {worker("w", 2)},
                    .queue = {ranked("u1", 8, 5), ranked("u2", 9, 5)},
                    .attempts = {running(ranked("a", 1, 0), 0), running(ranked("b", 2, 0), 0)}};
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("b for u1")) << "the tie goes by id";
}

}  // namespace
}  // namespace prefixmem::scheduler
