// Jobs that run on fewer ranks too: with how many they start, and when they grow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"
#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Millis kGrowAfter{60000};
const Config kConfig{.grow_after = kGrowAfter};

Job elastic(const std::string& id, int64_t order, int least, int most) {
  Job one = job(id, order, most);
  one.least = least;
  one.most = most;
  return one;
}

// Running with `ranks` since `began`.
Attempt running(Job one, int ranks, const std::string& worker_id, MonotonicTime began = {}) {
  one.ranks = ranks;
  Attempt attempt = placed(one, worker_id);
  attempt.began = began;
  return attempt;
}

Placement place_at(MonotonicTime now, const State& state) { return place(now, state, kConfig); }
const MonotonicTime kRipe = MonotonicTime{} + kGrowAfter;

// {"job>worker 2", …}
std::vector<std::string> sizes_of(const Placement& placement) {
  std::vector<std::string> texts;
  for (const Start& start : placement.starts) {
    texts.push_back(start.job_ids.front() + ">" + start.worker_id + " " +
                    std::to_string(start.ranks));
  }
  return texts;
}

const Attempt& attempt_of(const State& state, const std::string& job_id) {
  return *std::find_if(state.attempts.begin(), state.attempts.end(),
                       [&](const Attempt& attempt) { return attempt.job.id == job_id; });
}

std::vector<std::string> growths_of(const Placement& placement) {
  std::vector<std::string> texts;
  for (const Leave& leave : placement.leaves) {
    EXPECT_EQ(leave.for_job, "");
    texts.push_back(leave.job_ids.front() + " " + leave.reason);
  }
  return texts;
}

TEST(Elastic, StartsWithAsManyRanksAsThereAre) {
  State state{.workers = {worker("a", 2), worker("b", 3)}, .queue = {elastic("j", 1, 1, 3)}};
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>b 3"));
  state.attempts = {placed(job("r", 0, 2), "b")};
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>a 2"));
}

TEST(Elastic, WaitsForTheFewestThatWillDo) {
  const State state{.workers = {worker("a", 4)},
                    .queue = {elastic("j", 2, 3, 4), job("k", 3)},
                    .attempts = {placed(job("r", 1, 2), "a")}};
  const Placement placement = place_at({}, state);
  EXPECT_THAT(waits_of(placement), ElementsAre("j: waits for 3 slots of one worker to be free"));
  EXPECT_THAT(sizes_of(placement), ElementsAre("k>a 1")) << "which j does not need";
}

TEST(Elastic, IsOnSeveralWorkersOnlyWhereNoneHoldsTheFewest) {
  State state{.workers = {worker("a", 2), worker("b", 2), worker("c", 1)},
              .queue = {elastic("j", 1, 3, 8)}};
  const Placement placement = place_at({}, state);
  EXPECT_THAT(sizes_of(placement), ElementsAre("j>a 5"));
  EXPECT_EQ(placement.starts[0].seats.size(), 3u);
  state.queue[0].least = 2;
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>a 2"));
}

TEST(Elastic, PrefersFewerGpusToMoreRanksWithout) {
  State state{.workers = {worker("a", 8), worker("g", 2, Device::kCuda)},
              .queue = {elastic("j", 1, 1, 8)}};
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>g 2"));
  state.queue[0].least = 3;
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>a 8"));
}

TEST(Elastic, StaysWithinTheQuotaOfItsTenant) {
  State state{.workers = {worker("a", 8)}, .queue = {elastic("j", 1, 1, 8)}};
  state.tenants = {{.name = "", .slots = 3}};
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>a 3"));
}

TEST(Elastic, GrowsIntoWhatNobodyWaitsFor) {
  const State state{.workers = {worker("a", 4)},
                    .attempts = {running(elastic("j", 1, 1, 8), 2, "a")}};
  EXPECT_THAT(growths_of(place_at(kRipe, state)), ElementsAre("j grows from 2 ranks to 4 ranks"));
}

TEST(Elastic, MovesToAWorkerThatGivesMore) {
  const State state{.workers = {worker("a", 2), worker("b", 4)},
                    .attempts = {running(elastic("j", 1, 1, 4), 2, "a")}};
  EXPECT_THAT(growths_of(place_at(kRipe, state)), ElementsAre("j grows from 2 ranks to 4 ranks"));
}

TEST(Elastic, IsLeftAsItIsWhereSomethingHasJustEnded) {
  const State state{.workers = {worker("a", 4)},
                    .attempts = {running(elastic("j", 1, 1, 8), 2, "a")}};
  State busy = state;
  busy.workers[0].settled += Millis(1);
  EXPECT_EQ(place_at(kRipe, busy).grows_at, kRipe + Millis(1));
  const Placement early = place_at(kRipe - Millis(1), state);
  EXPECT_THAT(early.leaves, IsEmpty());
  EXPECT_EQ(early.grows_at, kRipe);
}

TEST(Elastic, DoesNotGrowIntoWhatAJobKeeps) {
  const State state{.workers = {worker("a", 5)},
                    .queue = {job("wide", 2, 5)},
                    .attempts = {running(elastic("j", 1, 1, 8), 2, "a")}};
  const Placement placement = place_at(kRipe, state);
  EXPECT_THAT(placement.leaves, IsEmpty());
  EXPECT_EQ(placement.grows_at, std::nullopt);
}

TEST(Elastic, OneGrowsAtATime) {
  const State state{
      .workers = {worker("a", 6)},
      .attempts = {running(elastic("j", 1, 1, 4), 2, "a"), running(elastic("k", 2, 1, 4), 2, "a")}};
  EXPECT_THAT(growths_of(place_at(kRipe, state)), ElementsAre("j grows from 2 ranks to 4 ranks"));
}

TEST(Elastic, OnSeveralWorkersItGrowsOverAll) {
  Attempt wide = running(elastic("j", 1, 3, 8), 3, "a");
  wide.seats = {{"a", 2}, {"b", 1}};
  const State state{.workers = {worker("a", 2), worker("b", 2), worker("c", 2)},
                    .attempts = {wide}};
  EXPECT_THAT(growths_of(place_at(kRipe, state)), ElementsAre("j grows from 3 ranks to 6 ranks"));
}

TEST(Elastic, NobodyGrowsWhileOneLeaves) {
  State state{
      .workers = {worker("a", 6)},
      .attempts = {running(elastic("j", 1, 1, 4), 2, "a"), running(elastic("k", 2, 1, 4), 2, "a")}};
  state.attempts[0].stop = unavailable("grows from 2 ranks to 4 ranks");
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

TEST(Elastic, DoesNotMoveFromGpusToMoreRanksWithout) {
  const State state{.workers = {worker("a", 8), worker("g", 2, Device::kCuda)},
                    .attempts = {running(elastic("j", 1, 1, 8), 2, "g")}};
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

TEST(Elastic, GpusAndOthersAreNotCountedTogether) {
  Attempt wide = running(elastic("j", 1, 6, 16), 8, "g");
  wide.seats = {{"g", 4}, {"h", 4}};
  const State state{
      .workers = {worker("c", 4), worker("g", 4, Device::kCuda), worker("h", 4, Device::kCuda)},
      .attempts = {wide}};
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

TEST(Elastic, OneThatCouldNotComeBackIsLeftAlone) {
  State state{.workers = {worker("a", 4)}, .attempts = {running(elastic("j", 1, 1, 4), 2, "a")}};
  state.tenants = {{.name = "", .stored_bytes = 10, .most_stored_bytes = 10}};
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
  state.tenants = {{.name = "", .slots = 1}};
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

TEST(Elastic, MovesForItsBitsOnlyToWorkersOfOneMake) {
  Job one = elastic("j", 1, 1, 4);
  one.same_make = true;
  State state{.workers = {worker("a", 2), worker("b", 4)}, .attempts = {running(one, 2, "a")}};
  state.workers[0].make = "X";
  state.workers[1].make = "Y";
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
  state.workers[1].make = "X";
  EXPECT_THAT(growths_of(place_at(kRipe, state)), ElementsAre("j grows from 2 ranks to 4 ranks"));
  state.attempts[0].job.same_slots = true;
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

TEST(Elastic, WhatIsLeavingOrOnAWorkerThatLeavesIsLeftAlone) {
  State state{.workers = {worker("a", 4)}, .attempts = {running(elastic("j", 1, 1, 4), 2, "a")}};
  state.attempts[0].stop = unavailable("it is to leave");
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
  state.attempts[0].stop = {};
  state.workers[0].draining = true;
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

Job any_elastic(Random& random, int order) {
  Job one = elastic("j" + std::to_string(order), order, 1 + random.below(4), 1 + random.below(12));
  one.most = std::max(one.least, one.most);
  one.ranks = one.most;
  one.device = any_device(random);
  return one;
}

bool fits_bounds(const Start& start, const Job& job) {
  const int least = job.is_elastic() ? job.least : job.ranks;
  int seats = 0;
  for (const Seat& seat : start.seats) seats += seat.ranks;
  return start.ranks >= least && start.ranks <= job.ranks &&
         (start.seats.empty() || seats == start.ranks);
}

// Takes those that leave to grow back into the queue.
std::vector<Attempt> requeue(const Placement& placement, State& state) {
  std::vector<Attempt> left;
  for (const Leave& leave : placement.leaves) {
    if (!leave.for_job.empty()) continue;
    left.push_back(attempt_of(state, leave.job_ids.front()));
    Job back = left.back().job;
    back.ranks = back.most;
    std::erase_if(state.attempts, [&](const Attempt& a) { return a.job.id == back.id; });
    state.queue.push_back(back);
  }
  return left;
}

// Workers come and jobs end at random: starts lie between their bounds, no worker holds more than
// it has, and a gang that leaves to grow starts again at once, with more ranks. Where nothing
// happens any more growth comes to an end.
TEST(ElasticProperty, StartsAndGrowthsHold) {
  size_t smaller = 0, grown = 0, spread = 0;
  for (unsigned seed = 0; seed < 10000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    State state{.workers = any_workers(random)};
    if (random.one_in(3)) state.tenants = {{.name = "", .slots = 2 + random.below(12)}};
    MonotonicTime now = kRipe;
    int order = 0;
    for (int round = 0; round < 12; ++round, now += kGrowAfter) {
      if (round < 4) {
        for (int i = random.below(3); i > 0; --i)
          state.queue.push_back(any_elastic(random, ++order));
        if (random.one_in(2)) {
          state.queue.push_back(any_job(random, ++order));
          state.queue.back().priority = 0;  // nobody makes others leave
        }
        if (random.one_in(3)) {
          Worker more = worker("x" + std::to_string(round), 1 + random.below(6),
                               random.one_in(2) ? Device::kCuda : Device::kCpu);
          state.workers.push_back(more);
        }
        if (!state.attempts.empty()) {
          state.attempts.erase(state.attempts.begin() +
                               random.below(static_cast<int>(state.attempts.size())));
        }
      }
      int64_t last = int64_t{1000} * round;
      Placement placement = place_at(now, state);
      for (int again = 0;; ++again) {
        ASSERT_LT(again, 12) << "growth does not end";
        for (const Start& start : placement.starts) {
          const Job& one = by_id(state.queue, start.job_ids.front());
          EXPECT_TRUE(fits_bounds(start, one)) << one.id << " with " << start.ranks;
          smaller += start.ranks < one.ranks ? 1 : 0;
          spread += start.seats.empty() ? 0 : 1;
        }
        note_turns(placement, state, last);
        for (const Leave& leave : placement.leaves) ASSERT_EQ(leave.for_job, "");
        for (const Start& start : placement.starts) apply(start, now, state);
        auto used = used_slots(state);
        for (const Worker& on : state.workers) ASSERT_LE(used[on.id], on.slots);
        const std::vector<Attempt> left = requeue(placement, state);
        if (left.empty()) break;
        grown += left.size();
        placement = place_at(now, state);
        for (const Attempt& before : left) {
          const auto start =
              std::find_if(placement.starts.begin(), placement.starts.end(),
                           [&](const Start& one) { return one.job_ids.front() == before.job.id; });
          ASSERT_NE(start, placement.starts.end()) << before.job.id << " does not come back";
          ASSERT_GT(start->ranks, before.job.ranks) << before.job.id;
        }
      }
    }
  }
  EXPECT_GT(smaller, 1000u) << "too few to say much";
  EXPECT_GT(grown, 200u) << "too few to say much";
  EXPECT_GT(spread, 300u) << "too few to say much";
}

}  // namespace
}  // namespace prefixmem::scheduler
