// Tenants: shares and quotas of slots.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/scheduler/place.h"
#include "coordinator/scheduler/turns.h"
#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Config kConfig{.bank_limit = 16};

Placement place(const State& state) { return scheduler::place({}, state, kConfig); }

Job of(const std::string& tenant, Job job) {
  job.tenant = tenant;
  return job;
}

// Ids in the order in which jobs are looked at, where each takes its slots.
std::vector<std::string> order_of(const State& state) {
  Shares shares(state.tenants, rooms_of(state));
  const Queue queue(state.queue);
  Turns turns(queue, shares);
  std::vector<std::string> ids;
  while (const Job* job = turns.next()) {
    ids.push_back(job->id);
    shares.hold(*job);
  }
  return ids;
}

TEST(Turns, TenantsTakeTurns) {
  const State state{.queue = {of("a", job("a1", 1)), of("a", job("a2", 2)), of("a", job("a3", 3)),
                              of("b", job("b1", 4)), of("b", job("b2", 5))}};
  EXPECT_THAT(order_of(state), ElementsAre("a1", "b1", "a2", "b2", "a3"));
}

TEST(Turns, OneTenantGoesByPriorityAndOrder) {
  Job urgent = job("urgent", 3);
  urgent.priority = 1;
  const State state{.queue = {job("second", 2), urgent, job("first", 1)}};
  EXPECT_THAT(order_of(state), ElementsAre("urgent", "first", "second"));
}

TEST(Turns, PriorityComesBeforeShares) {
  Job urgent = of("a", job("a2", 2));
  urgent.priority = 1;
  const State state{.tenants = {{.name = "a", .recent_slots = 100}},
                    .queue = {of("b", job("b1", 1)), urgent}};
  EXPECT_THAT(order_of(state), ElementsAre("a2", "b1"));
}

TEST(Turns, WideJobsAndWeightsCount) {
  State state{.queue = {of("a", job("a1", 1, 2)), of("a", job("a2", 2, 2)), of("b", job("b1", 3)),
                        of("b", job("b2", 4)), of("b", job("b3", 5))}};
  EXPECT_THAT(order_of(state), ElementsAre("a1", "b1", "b2", "a2", "b3"));
  state.tenants = {{.name = "a", .weight = 2}};
  EXPECT_THAT(order_of(state), ElementsAre("a1", "b1", "a2", "b2", "b3"));
}

TEST(Turns, WhatRunsAndWhatRanOfLateCounts) {
  State state{.workers = {worker("w", 2)},
              .queue = {of("a", job("a1", 1)), of("b", job("b1", 2)), of("b", job("b2", 3))},
              .attempts = {placed(of("a", job("r", 0, 2)), "w")}};
  EXPECT_THAT(order_of(state), ElementsAre("b1", "b2", "a1"));
  state.tenants = {{.name = "b", .recent_slots = 1.5}};
  EXPECT_THAT(order_of(state), ElementsAre("b1", "a1", "b2"));
}

TEST(Turns, AJobWhoseTurnHasComeKeepsIt) {
  Job waits = of("a", job("a1", 1));
  waits.turn = 7;
  const State state{.tenants = {{.name = "a", .recent_slots = 100}},
                    .queue = {waits, of("b", job("b1", 2))}};
  EXPECT_THAT(order_of(state), ElementsAre("a1", "b1"));
}

TEST(Turns, ThoseWhoseTurnHasComeGoByItWhosesoeverTheyAre) {
  Job again = of("a", job("a2", 4)), waits = of("b", job("b1", 3));
  again.turn = 7;
  waits.turn = 8;
  const State state{.tenants = {{.name = "a", .recent_slots = 100}},
                    .queue = {waits, again, of("a", job("a1", 1)), of("b", job("b2", 5))}};
  EXPECT_THAT(order_of(state), ElementsAre("a2", "b1", "b2", "a1"));
}

TEST(Turns, WhatWaitsClosesItsLineAlone) {
  const State state{.queue = {of("a", job("a1", 1)), of("a", job("a2", 2)),
                              of("a", job("a3", 3, 2)), of("b", job("b1", 4))}};
  const Shares shares(state.tenants, {});
  const Queue queue(state.queue);
  Turns turns(queue, shares);
  EXPECT_EQ(turns.next()->id, "a1");
  turns.close();
  EXPECT_EQ(turns.next()->id, "a3");
  EXPECT_EQ(turns.next()->id, "b1");
  EXPECT_EQ(turns.next(), nullptr);
  EXPECT_EQ(turns.next(), nullptr);
}

TEST(Turns, EachPriorityGoesByTheLoadOfItsTime) {
  Job urgent = of("a", job("a1", 1, 4));
  urgent.priority = 1;
  const State state{.queue = {urgent, of("a", job("a2", 2)), of("b", job("b1", 3))}};
  EXPECT_THAT(order_of(state), ElementsAre("a1", "b1", "a2"));
}

TEST(Shares, TheTurnOfWhoStartsOrKeepsAWorkerHasCome) {
  State state{
      .workers = {worker("w", 3)},
      .queue = {job("small", 1), job("wide", 2, 2), job("behind", 3, 2), job("never", 4, 9)},
      .attempts = {placed(job("r", 0, 2), "w")}};
  EXPECT_THAT(place(state).turns, ElementsAre("small", "wide"));
  state.queue[1].turn = 1;
  EXPECT_THAT(place(state).turns, ElementsAre("small")) << "wide has kept the worker since";
}

TEST(Shares, TheTurnOfWhoKeepsSeveralWorkersHasCome) {
  const State state{.workers = {worker("w", 2), worker("x", 2)},
                    .queue = {job("wide", 1, 4)},
                    .attempts = {placed(job("r", 0), "w")}};
  EXPECT_THAT(place(state).turns, ElementsAre("wide"));
}

TEST(Shares, AQuotaOfSlotsHolds) {
  const State state{.workers = {worker("w", 8)},
                    .tenants = {{.name = "a", .slots = 3}},
                    .queue = {of("a", job("a1", 2, 2)), of("a", job("a2", 3)),
                              of("b", job("b1", 4, 3)), of("a", job("a3", 5, 4))},
                    .attempts = {placed(of("a", job("r", 1, 2)), "w")}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("b1>w"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("a1: waits for 2 slots of the quota of tenant a, which is 3",
                          "a2: waits for 1 slot of the quota of tenant a, which is 3",
                          "a3: needs 4 slots, the quota of tenant a is 3"));
}

TEST(Shares, AJobThatWaitsForAWorkerKeepsItsPartOfTheQuota) {
  Job brief = of("a", job("brief", 2, 1));
  brief.time = {.text = "1s", .left = Millis(1000)};
  Attempt runs = placed(of("b", job("r", 0, 2)), "w");
  runs.end_by = MonotonicTime(Millis(100'000));
  State state{.workers = {worker("w", 3)},
              .queue = {of("a", job("wide", 1, 3)), brief},
              .attempts = {runs}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("brief>w"));
  state.tenants = {{.name = "a", .slots = 3}};
  EXPECT_THAT(starts_of(place(state)), IsEmpty());
}

TEST(Shares, AJobThatCanNeverStartHoldsNothing) {
  const State state{.workers = {worker("w", 2)},
                    .tenants = {{.name = "a", .slots = 2}},
                    .queue = {of("a", job("huge", 1, 9)), of("a", job("gpu", 2, 2, Device::kCuda)),
                              of("a", job("j", 3, 2))}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>w"));
}

TEST(Shares, AGangOnSeveralWorkersTakesItsPartOfTheQuota) {
  State state{.workers = {worker("w", 2), worker("x", 2)},
              .tenants = {{.name = "a", .slots = 4}},
              .queue = {of("a", job("wide", 1, 3)), of("a", job("j", 2, 2))}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("wide>w"));
  EXPECT_THAT(waits_of(place(state)),
              ElementsAre("j: waits for 2 slots of the quota of tenant a, which is 4"));
  state.tenants[0].slots = 2;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>w"));
}

TEST(Shares, OneThatNoWorkerTakesHasNobodyWaitForTheQuota) {
  const State state{.workers = {worker("w", 3)},
                    .tenants = {{.name = "a", .slots = 2}},
                    .queue = {of("a", job("gpu", 1, 2, Device::kCuda)), of("a", job("j", 2))},
                    .attempts = {placed(of("a", job("r", 0)), "w")}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>w"));
}

TEST(Shares, AFullStoreKeepsJobsOfItsTenantWaiting) {
  State state{.workers = {worker("w", 2)},
              .tenants = {{.name = "a", .stored_bytes = 10, .most_stored_bytes = 10}},
              .queue = {of("a", job("a1", 1)), of("b", job("b1", 2))}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("b1>w"));
  EXPECT_THAT(waits_of(place(state)),
              ElementsAre("a1: tenant a has files of 10 bytes stored, its quota is 10"));
  state.tenants[0].stored_bytes = 9;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("a1>w", "b1>w"));
}

TEST(Shares, WhoJoinsAGangTakesNothingOfTheQuota) {
  State state{.workers = {worker("w", 4)},
              .tenants = {{.name = "a", .slots = 2}},
              .queue = {of("a", trial("t2", 2, "bank", 2))},
              .attempts = {placed(of("a", trial("t1", 1, "bank", 2)), "w")}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("t2>w in t1"));
  state.queue.insert(state.queue.begin(), of("a", job("waits", 0)));
  EXPECT_THAT(starts_of(place(state)), IsEmpty()) << "the gang would keep it waiting";
}

TEST(RecentSlots, WhatWasADayAgoCountsHalf) {
  constexpr auto kDay = std::chrono::hours(24);
  EXPECT_DOUBLE_EQ(recent_slots(8, 0, kDay), 4);
  EXPECT_DOUBLE_EQ(recent_slots(0, 8, kDay), 4);
  EXPECT_DOUBLE_EQ(recent_slots(8, 8, kDay), 8);
  EXPECT_DOUBLE_EQ(recent_slots(recent_slots(8, 2, kDay / 3), 2, kDay / 3 * 2),
                   recent_slots(8, 2, kDay))
      << "in however many pieces";
}

}  // namespace
}  // namespace prefixmem::scheduler
