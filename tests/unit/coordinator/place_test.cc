#include "coordinator/scheduler/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Config kConfig{.bank_limit = 16};

Placement place(const State& state) { return scheduler::place({}, state, kConfig); }

TEST(Place, FirstInFirstOut) {
  const State state{.workers = {worker("w", 2)}, .queue = {job("c", 3), job("a", 1), job("b", 2)}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("a>w", "b>w"));
  EXPECT_THAT(waits_of(placement), ElementsAre("c: waits for 1 slot of one worker to be free"));
  EXPECT_EQ(placement.starts[0].reason, "1 rank on worker w");
}

TEST(Place, PriorityComesBeforeTheOrder) {
  Job urgent = job("urgent", 3);
  urgent.priority = 5;
  Job idle = job("idle", 1);
  idle.priority = -1;
  const State state{.workers = {worker("w", 3)}, .queue = {idle, job("plain", 2), urgent}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("urgent>w", "plain>w", "idle>w"));
}

TEST(Place, NothingToDo) {
  EXPECT_THAT(starts_of(place({})), IsEmpty());
  EXPECT_THAT(waits_of(place({.workers = {worker("w", 1)}})), IsEmpty());
}

TEST(Place, AGangThatOneWorkerCouldHoldIsNeverSplit) {
  const State state{.workers = {worker("a", 3), worker("b", 2)},
                    .queue = {job("j", 1, 3)},
                    .attempts = {placed(job("r", 0, 1), "a")}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), IsEmpty());
  EXPECT_THAT(waits_of(placement), ElementsAre("j: waits for 3 slots of one worker to be free"));
}

TEST(Place, RunningGangsHoldTheirSlots) {
  State state{.workers = {worker("w", 4)},
              .queue = {job("j", 2, 2)},
              .attempts = {placed(job("r", 1, 3), "w")}};
  EXPECT_THAT(waits_of(place(state)), ElementsAre("j: waits for 2 slots of one worker to be free"));
  state.attempts[0].job.ranks = 2;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>w"));
}

TEST(Place, NothingOvertakesOnAWorkerKeptForAnEarlierJob) {
  const State state{.workers = {worker("w", 4)},
                    .queue = {job("wide", 2, 4), job("narrow", 3, 1)},
                    .attempts = {placed(job("r", 1, 1), "w")}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), IsEmpty());
  EXPECT_THAT(waits_of(placement), ElementsAre("wide: waits for 4 slots of one worker to be free",
                                               "narrow: waits behind earlier jobs"));
}

TEST(Place, AWorkerTooSmallForTheEarlierJobIsNotKept) {
  const State state{.workers = {worker("big", 4), worker("small", 1)},
                    .queue = {job("wide", 2, 4), job("narrow", 3, 1)},
                    .attempts = {placed(job("r", 1, 1), "big")}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("narrow>small"));
}

TEST(Place, AJobThatCanNeverFitKeepsNoWorker) {
  const State state{.workers = {worker("w", 2)},
                    .queue = {job("wide", 1, 8), job("gpu", 2, 1, Device::kCuda), job("j", 3)}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("j>w"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("wide: needs 8 ranks, the workers that it could run on together have 2 "
                          "slots",
                          "gpu: needs device cuda, no connected worker has it"));
}

TEST(Place, ACudaJobRunsOnACudaWorkerOnly) {
  const State state{.workers = {worker("cpu", 8), worker("gpu", 1, Device::kCuda)},
                    .queue = {job("a", 1, 1, Device::kCuda), job("b", 2, 2, Device::kCuda)}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("a>gpu"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("b: needs 2 ranks, the workers that it could run on together have 1 "
                          "slot"));
}

TEST(Place, TheWantedDeviceComesFirstAndAnotherIsBetterThanWaiting) {
  const State state{.workers = {worker("cpu", 2), worker("gpu", 2, Device::kCuda)},
                    .queue = {job("auto", 1), job("cpu-1", 2, 2, Device::kCpu),
                              job("cpu-2", 3, 1, Device::kCpu)}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("auto>gpu", "cpu-1>cpu", "cpu-2>gpu"));
}

TEST(Place, AutoTakesCpuWhereNoGpuIsFree) {
  const State state{.workers = {worker("cpu", 1), worker("gpu", 1, Device::kCuda)},
                    .queue = {job("a", 1), job("b", 2)}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("a>gpu", "b>cpu"));
}

TEST(Place, TakesTheWorkerWithTheFewestSlotsLeftThenTheFirstById) {
  State state{.workers = {worker("a", 8), worker("b", 4), worker("c", 4)},
              .queue = {job("j", 2, 2)},
              .attempts = {placed(job("r", 1, 1), "c")}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>c"));
  state.attempts.clear();
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>b"));
}

TEST(Place, ALostWorkerIsNoWorker) {
  State state{.workers = {worker("w", 4)}, .queue = {job("j", 1)}};
  state.workers[0].lost = true;
  EXPECT_THAT(waits_of(place(state)), ElementsAre("j: no worker is connected"));
}

TEST(Place, AWorkerThatIsAwayIsWaitedForAndKept) {
  State state{.workers = {worker("w", 4), worker("tiny", 1)},
              .queue = {job("wide", 1, 4), job("two", 2, 2), job("one", 3, 1)}};
  state.workers[0].connected = false;
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("one>tiny"));
  EXPECT_THAT(waits_of(placement), ElementsAre("wide: waits for a worker to reconnect",
                                               "two: waits behind earlier jobs"));
}

TEST(Place, ADrainingWorkerTakesNothing) {
  State state{.workers = {worker("w", 4), worker("tiny", 1)},
              .queue = {job("one", 1), job("wide", 2, 4)}};
  state.workers[0].draining = true;
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("one>tiny"));
  EXPECT_THAT(waits_of(placement), ElementsAre("wide: waits for a worker to reconnect"));
}

TEST(Place, ACordonedWorkerTakesNothingAndIsNamed) {
  State state{.workers = {worker("v", 4), worker("w", 4), worker("tiny", 1)},
              .queue = {job("one", 1), job("wide", 2, 4)}};
  state.workers[0].cordoned = state.workers[1].cordoned = true;
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("one>tiny"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("wide: every worker that it fits is cordoned (v, w)"));
  state.workers[0].cordoned = false;
  state.workers[0].connected = false;
  EXPECT_THAT(waits_of(place(state)), ElementsAre("wide: waits for a worker to reconnect"));
}

TEST(Place, AnUnhealthyWorkerTakesNothingAndIsNamed) {
  State state{.workers = {worker("v", 4), worker("w", 4), worker("tiny", 1)},
              .queue = {job("one", 1), job("wide", 2, 4)}};
  state.workers[0].unhealthy = state.workers[1].unhealthy = true;
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("one>tiny"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("wide: every worker that it fits is unhealthy (v, w)"));
  state.workers[0].cordoned = true;
  EXPECT_THAT(waits_of(place(state)), ElementsAre("wide: no worker that it fits takes work; "
                                                  "cordoned: v; unhealthy: w"));
  state.workers[1].connected = false;
  EXPECT_THAT(waits_of(place(state)), ElementsAre("wide: waits for a worker to reconnect"));
}

TEST(Place, AWorkerThatHasShrunkTakesNothingMore) {
  const State state{.workers = {worker("w", 1)},
                    .queue = {job("j", 2)},
                    .attempts = {placed(job("r", 1, 4), "w")}};
  EXPECT_THAT(waits_of(place(state)), ElementsAre("j: waits for 1 slot of one worker to be free"));
}

TEST(PlaceBanks, TrialsOfOneKeyStartTogether) {
  const State state{.workers = {worker("w", 2)},
                    .queue = {trial("a", 1, "x", 2), trial("b", 2, "x", 2), trial("c", 3, "x", 2)}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("a+b+c>w"));
  EXPECT_EQ(placement.starts[0].reason, "2 ranks on worker w, shared by 3 jobs");
}

TEST(PlaceBanks, SpreadEvenlyOverTheFreePlaces) {
  State state{.workers = {worker("v", 1), worker("w", 2)}};
  for (int i = 1; i <= 7; ++i) state.queue.push_back(trial(std::to_string(i), i, "x"));
  EXPECT_THAT(starts_of(place(state)), ElementsAre("1+2+3>v", "4+5>w", "6+7>w"));
}

TEST(PlaceBanks, KeepToTheLimitsOfTheServiceAndOfTheJobs) {
  State state{.workers = {worker("w", 1)}};
  for (int i = 1; i <= 5; ++i) state.queue.push_back(trial(std::to_string(i), i, "x"));
  EXPECT_THAT(starts_of(scheduler::place({}, state, {.bank_limit = 4})), ElementsAre("1+2+3+4>w"));
  EXPECT_THAT(starts_of(scheduler::place({}, state, {.bank_limit = 1})), ElementsAre("1>w"));
  for (Job& job : state.queue) job.bank_limit = 2;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("1+2>w"));
}

TEST(PlaceBanks, WhatHasNoKeyOrAnotherOneStaysApart) {
  const State state{.workers = {worker("w", 4)},
                    .queue = {trial("a", 1, "x"), trial("b", 2, "y"), job("c", 3), job("d", 4)}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("a>w", "b>w", "c>w", "d>w"));
}

TEST(PlaceBanks, ALaterTrialPassesAWaitingJobAndTakesNothingFromIt) {
  const State state{.workers = {worker("w", 1)},
                    .queue = {trial("a", 1, "x"), job("between", 2), trial("b", 3, "x")}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("a+b>w"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("between: waits for 1 slot of one worker to be free"));
}

TEST(PlaceBanks, ATrialThatNoWorkerHasRoomForJoinsAGangThatRuns) {
  State state{.workers = {worker("w", 1)},
              .queue = {trial("b", 2, "x"), trial("c", 3, "x"), trial("d", 4, "y")},
              .attempts = {placed(trial("a", 1, "x"), "w", 1, "g")}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("b>w in g", "c>w in g"));
  EXPECT_EQ(placement.starts[1].reason, "1 rank on worker w, joins a gang of 2");
  EXPECT_THAT(starts_of(scheduler::place({}, state, {.bank_limit = 2})), ElementsAre("b>w in g"));
  EXPECT_THAT(starts_of(scheduler::place({}, state, {.bank_limit = 1})), IsEmpty());
  state.workers.push_back(worker("v", 1));
  EXPECT_THAT(starts_of(place(state)), ElementsAre("b+c>v")) << "room is better than company";
}

TEST(PlaceBanks, NoneJoinsWhereAnotherJobAheadWaitsForTheWorker) {
  const State state{.workers = {worker("w", 1)},
                    .queue = {job("ahead", 2), trial("b", 3, "x")},
                    .attempts = {placed(trial("a", 1, "x"), "w", 1, "g")}};
  EXPECT_THAT(starts_of(place(state)), IsEmpty());
}

TEST(PlaceBanks, NoneJoinsAGangThatIsToStopOrADrainingWorkersOrWhenItResumes) {
  const State open{.workers = {worker("w", 1)},
                   .queue = {trial("b", 2, "x")},
                   .attempts = {placed(trial("a", 1, "x"), "w", 1, "g")}};
  EXPECT_THAT(starts_of(place(open)), ElementsAre("b>w in g"));
  State stops = open;
  stops.attempts[0].stop = cancelled("cancelled by a client");
  EXPECT_THAT(starts_of(place(stops)), IsEmpty());
  State drains = open;
  drains.workers[0].draining = true;
  EXPECT_THAT(starts_of(place(drains)), IsEmpty());
  State resumes = open;
  resumes.queue[0].resumes = true;
  EXPECT_THAT(starts_of(place(resumes)), IsEmpty());
}

TEST(PlaceBanks, AGangHoldsItsSlotsOnce) {
  const State state{.workers = {worker("w", 3)},
                    .queue = {job("j", 3)},
                    .attempts = {placed(trial("a", 1, "x", 2), "w", 1, "g"),
                                 placed(trial("b", 2, "x", 2), "w", 3, "g")}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("j>w"));
}

TEST(PlaceBanks, FillTheWantedDeviceBeforeAnother) {
  State state{.workers = {worker("cpu", 4), worker("gpu", 1, Device::kCuda)}};
  for (int i = 1; i <= 3; ++i) state.queue.push_back(trial(std::to_string(i), i, "x"));
  EXPECT_THAT(starts_of(scheduler::place({}, state, {.bank_limit = 2})),
              ElementsAre("1+2>gpu", "3>cpu"));
  EXPECT_THAT(starts_of(place(state)), ElementsAre("1+2+3>gpu"));
}

}  // namespace
}  // namespace prefixmem::scheduler
