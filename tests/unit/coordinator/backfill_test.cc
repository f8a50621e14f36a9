// Jobs that run ahead of one that waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/scheduler/place.h"
#include "coordinator/scheduler/room.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

Job limited(const std::string& id, int64_t order, int ranks, Millis limit) {
  Job one = job(id, order, ranks);
  one.time = {.text = "some", .left = limit};
  return one;
}

Attempt running(const Job& job, const std::string& worker_id) {
  Attempt attempt = placed(job, worker_id);
  attempt.end_by = end_of(job, {});
  return attempt;
}

Placement place(const State& state, Config config = {}) {
  return scheduler::place({}, state, config);
}

// A gang of 2 on 4 slots, of an hour; "wide" wants all 4.
State hour(const std::vector<Job>& behind) {
  State state{.workers = {worker("w", 4)},
              .queue = {job("wide", 10, 4)},
              .attempts = {running(limited("r", 1, 2, minutes(60)), "w")}};
  state.queue.insert(state.queue.end(), behind.begin(), behind.end());
  return state;
}

TEST(Backfill, AJobThatEndsBeforeTheHeadCanStartRunsAhead) {
  const Placement placement =
      place(hour({limited("long", 11, 1, minutes(61)), limited("short", 12, 1, minutes(60))}));
  EXPECT_THAT(starts_of(placement), ElementsAre("short>w"));
  EXPECT_EQ(placement.starts[0].reason,
            "1 rank on worker w, ahead of wide, which it does not delay");
  EXPECT_THAT(waits_of(placement), ElementsAre("wide: waits for 4 slots of one worker to be free",
                                               "long: waits behind earlier jobs"));
}

TEST(Backfill, AJobWithoutALimitDoesNot) {
  EXPECT_THAT(starts_of(place(hour({job("endless", 11)}))), IsEmpty());
}

TEST(Backfill, NorDoesAnyWhereWhatRunsHasNone) {
  State state = hour({limited("short", 11, 1, minutes(1))});
  state.attempts[0].end_by = {};
  EXPECT_THAT(starts_of(place(state)), IsEmpty());
}

TEST(Backfill, TheTimeThatIsLeftCountsNotTheLimit) {
  State state = hour({limited("b", 11, 1, minutes(10))});
  const MonotonicTime now(minutes(55));
  EXPECT_THAT(starts_of(scheduler::place(now, state, {})), IsEmpty());
  state.queue[1].time.left = minutes(5);
  EXPECT_THAT(starts_of(scheduler::place(now, state, {})), ElementsAre("b>w"));
}

TEST(Backfill, AGangThatOverstaysPromisesNothing) {
  const MonotonicTime now(minutes(90));
  EXPECT_THAT(starts_of(scheduler::place(now, hour({limited("b", 11, 1, minutes(1))}), {})),
              IsEmpty());
}

TEST(Backfill, SlotsThatTheHeadWillNotNeedAreFree) {
  const State state{.workers = {worker("w", 8)},
                    .queue = {job("head", 10, 4), job("b", 11, 2), job("c", 12, 1)},
                    .attempts = {placed(job("r", 1, 6), "w")}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("b>w")) << "r's end makes room for 4 beside 2";
}

TEST(Backfill, InWhateverOrderGangsEnd) {
  State state{.workers = {worker("w", 8)},
              .queue = {job("head", 10, 4), job("b", 11, 1)},
              .attempts = {placed(job("r", 1, 3), "w"), placed(job("s", 2, 4), "w")}};
  EXPECT_THAT(starts_of(place(state)), IsEmpty()) << "4 beside s, where r ends first";
  state.attempts[1].job.ranks = 3;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("b>w"));
}

TEST(Backfill, TheHeadStartsWhereItIsSoonest) {
  State state = hour({limited("b", 11, 1, minutes(30))});
  state.workers.push_back(worker("v", 4));
  state.attempts.push_back(running(limited("s", 2, 4, minutes(20)), "v"));
  EXPECT_THAT(starts_of(place(state)), IsEmpty()) << "v is free after 20 minutes";
  state.workers[1].cordoned = true;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("b>w"));
}

TEST(Backfill, TrialsThatJoinAGangEndInTimeToo) {
  State state = hour({});
  for (int i = 0; i < 3; ++i) {
    Job one = limited("t" + std::to_string(i), 11 + i, 2, minutes(i == 1 ? 70 : 30));
    one.bank = "x";
    state.queue.push_back(one);
  }
  EXPECT_THAT(starts_of(place(state, {.bank_limit = 8})), ElementsAre("t0+t2>w"));
}

TEST(Room, IsFreeWhenEnoughGangsHaveEndedByTheirLimits) {
  const State state{
      .workers = {worker("w", 6)},
      .attempts = {running(limited("a", 1, 2, minutes(10)), "w"),
                   running(limited("b", 2, 2, minutes(5)), "w"), placed(job("c", 3, 1), "w")}};
  const std::vector<Room> rooms = rooms_of(state);
  ASSERT_EQ(rooms.size(), 1u);
  const MonotonicTime now(minutes(1));
  const auto free_by = [&](int ranks) {
    return scheduler::free_by({rooms.data()}, job("j", 9, ranks), now);
  };
  EXPECT_EQ(free_by(1), now);
  EXPECT_EQ(free_by(3), MonotonicTime(minutes(5) + kLeaveGrace));
  EXPECT_EQ(free_by(5), MonotonicTime(minutes(10) + kLeaveGrace));
  EXPECT_EQ(free_by(6), std::nullopt) << "c has no limit";
}

TEST(Room, AGangIsBoundedWhenAllOfItsJobsAre) {
  Attempt first = running(limited("a", 1, 2, minutes(10)), "w");
  Attempt second = running(limited("b", 2, 2, minutes(20)), "w");
  second.gang = first.gang;
  State state{.workers = {worker("w", 6)}, .attempts = {first, second}};
  EXPECT_EQ(rooms_of(state)[0].gangs[0].end_by, MonotonicTime(minutes(20) + kLeaveGrace));
  for (const size_t unbounded : {size_t{0}, size_t{1}}) {
    State open = state;
    open.attempts[unbounded].end_by = {};
    EXPECT_EQ(rooms_of(open)[0].gangs[0].end_by, std::nullopt);
  }
}

}  // namespace
}  // namespace prefixmem::scheduler
