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
  State state{.workers = {worker("a", 2), worker("b", 3)}, .queue = {elastic("j", 1, 1, 4)}};
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>b 3"));
  state.workers.push_back(worker("c", 8));
  EXPECT_THAT(sizes_of(place_at({}, state)), ElementsAre("j>c 4"));
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
  const State state{.workers = {worker("a", 2), worker("b", 2), worker("c", 1)},
                    .queue = {elastic("j", 1, 3, 8)}};
  const Placement placement = place_at({}, state);
  EXPECT_THAT(sizes_of(placement), ElementsAre("j>a 5"));
  EXPECT_EQ(placement.starts[0].seats.size(), 3u);
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
                    .attempts = {running(elastic("j", 1, 1, 8), 2, "a")}};
  EXPECT_THAT(growths_of(place_at(kRipe, state)), ElementsAre("j grows from 2 ranks to 4 ranks"));
}

TEST(Elastic, IsLeftAsItIsForAWhile) {
  const State state{.workers = {worker("a", 4)},
                    .attempts = {running(elastic("j", 1, 1, 8), 2, "a")}};
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

TEST(Elastic, NoSlotIsPromisedTwice) {
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

TEST(Elastic, WhatIsLeavingOrOnAWorkerThatLeavesIsLeftAlone) {
  State state{.workers = {worker("a", 4)}, .attempts = {running(elastic("j", 1, 1, 4), 2, "a")}};
  state.attempts[0].stop = unavailable("it is to leave");
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
  state.attempts[0].stop = {};
  state.workers[0].draining = true;
  EXPECT_THAT(place_at(kRipe, state).leaves, IsEmpty());
}

// Any state whose jobs may run on fewer ranks: starts lie between the bounds, no worker holds more
// than it has, and a gang that leaves to grow comes back with what was said where nothing else
// happens meanwhile.
TEST(ElasticProperty, StartsAndGrowthsHold) {
  size_t smaller = 0, grown = 0;
  for (unsigned seed = 0; seed < 12000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    State state = any_state(seed);
    Random random(seed);
    const auto loosen = [&](Job& one) {
      if (!one.bank.empty() || !random.one_in(2)) return;
      one.least = 1 + random.below(one.ranks);
      one.most = one.ranks;
    };
    for (Job& one : state.queue) loosen(one);
    for (Attempt& attempt : state.attempts) {
      const bool alone =
          std::count_if(state.attempts.begin(), state.attempts.end(),
                        [&](const Attempt& a) { return a.gang == attempt.gang; }) == 1;
      if (alone) loosen(attempt.job);
      attempt.job.most *= 2;
    }
    const Placement placement = place_at(kRipe, state);
    for (const Start& start : placement.starts) {
      const Job& one = by_id(state.queue, start.job_ids.front());
      EXPECT_LE(start.ranks, one.ranks);
      EXPECT_GE(start.ranks, one.is_elastic() ? one.least : one.ranks);
      smaller += start.ranks < one.ranks ? 1 : 0;
      int seats = 0;
      for (const Seat& seat : start.seats) seats += seat.ranks;
      EXPECT_TRUE(start.seats.empty() || seats == start.ranks);
    }
    State next = after(state, placement, kRipe);
    auto used = used_slots(next);
    for (const Worker& on : state.workers) EXPECT_LE(used[on.id], on.slots);

    for (const Leave& leave : placement.leaves) {
      if (!leave.for_job.empty()) continue;
      ++grown;
      Job back = attempt_of(state, leave.job_ids.front()).job;
      std::erase_if(next.attempts, [&](const Attempt& a) { return a.job.id == back.id; });
      back.ranks = back.most;
      next.queue.push_back(back);
    }
    if (placement.leaves.empty()) continue;
    const Placement again = place_at(kRipe, next);
    for (const Start& start : again.starts) {
      for (const Leave& leave : placement.leaves) {
        if (leave.job_ids.front() != start.job_ids.front()) continue;
        EXPECT_GT(start.ranks, attempt_of(state, start.job_ids.front()).job.ranks);
      }
    }
    used = used_slots(after(next, again, kRipe));
    for (const Worker& on : state.workers) EXPECT_LE(used[on.id], on.slots);
  }
  EXPECT_GT(smaller, 300u) << "too few to say much";
  EXPECT_GT(grown, 100u) << "too few to say much";
}

}  // namespace
}  // namespace prefixmem::scheduler
