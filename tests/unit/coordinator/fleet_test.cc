// How many allocations a fleet asks for, and for what.
#include "coordinator/scheduler/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kPending = AllocationState::kPending;
constexpr auto kRunning = AllocationState::kRunning;

Place place(const std::string& allocation, int slots, int free, Device device = Device::kCpu) {
  return {allocation, slots, free, device, /*takes_work=*/true, /*busy=*/free < slots};
}

// Allocations of 4 slots each, 3 at most.
class FleetTest : public testing::Test {
 protected:
  // Of a fleet that sees this first.
  int submits(const std::vector<Want>& wants, const std::vector<Place>& places = {},
              const std::vector<Allocation>& listed = {}) const {
    return Fleet(limits_).plan({}, listed, {wants, places}).submit;
  }
  FleetPlan look(int seconds, const std::vector<Allocation>& listed, const Demand& demand = {}) {
    return fleet_.plan(at(seconds), listed, demand);
  }
  static MonotonicTime at(int seconds) { return MonotonicTime(std::chrono::seconds(seconds)); }

  FleetLimits limits_{.slots = 4, .most = 3, .most_pending = 3};
  Fleet fleet_{limits_};
};

TEST_F(FleetTest, AsksForWhatWaitsBeyondTheSlotsThatAreFreeOrComing) {
  EXPECT_EQ(submits({}), 0);
  EXPECT_EQ(submits({{1, Device::kAuto, 1}}), 1);
  EXPECT_EQ(submits({{1, Device::kAuto, 4}}), 1);
  EXPECT_EQ(submits({{1, Device::kAuto, 5}}), 2);
  EXPECT_EQ(submits({{3, Device::kAuto, 2}, {1, Device::kAuto, 2}}), 2) << "the gaps are filled";
  EXPECT_EQ(submits({{1, Device::kAuto, 1'000'000}}), 3) << "no more than max";
  EXPECT_EQ(submits({{2, Device::kAuto, 3}}, {place("", 8, 4)}), 1) << "two find room at once";
  EXPECT_EQ(submits({{1, Device::kAuto, 8}}, {}, {{"a", kPending}}), 1);
  EXPECT_EQ(submits({{1, Device::kAuto, 8}}, {}, {{"a", kPending}, {"b", kRunning}}), 0);
  limits_.most_pending = 2;
  EXPECT_EQ(submits({{1, Device::kAuto, 100}}, {}, {{"a", kPending}}), 1);
}

TEST_F(FleetTest, AsksForNothingThatWouldNotHelp) {
  EXPECT_EQ(submits({{1, Device::kCuda, 1}}), 0) << "its workers have no GPU";
  EXPECT_EQ(submits({{13, Device::kAuto, 1}}), 0) << "three would not hold it";
  EXPECT_EQ(submits({{5, Device::kAuto, 1}}, {place("", 8, 0)}), 0)
      << "a worker can hold it alone, so it is not spread";
  EXPECT_EQ(
      submits({{8, Device::kAuto, 1}}, {}, {{"x", AllocationState::kEnding}, {"y", kRunning}}), 1)
      << "one that is ending is there still";
  limits_.device = Device::kCuda;
  EXPECT_EQ(submits({{1, Device::kCuda, 1}, {1, Device::kCpu, 1}}), 1);
}

TEST_F(FleetTest, AGangMayNeedSeveral) {
  EXPECT_EQ(submits({{12, Device::kAuto, 1}}), 3);
  EXPECT_EQ(submits({{5, Device::kAuto, 1}}), 2);
  EXPECT_EQ(submits({{5, Device::kAuto, 1}, {3, Device::kAuto, 1}}), 2);
  EXPECT_EQ(submits({{8, Device::kAuto, 1}}, {place("a", 4, 4)}, {{"a", kRunning}}), 1);
  EXPECT_EQ(submits({{12, Device::kAuto, 1}}, {place("a", 4, 2)}, {{"a", kRunning}}), 0)
      << "not while one of three is in use";
}

TEST_F(FleetTest, WhatNeedsTheMemoryOfSeveralSlotsIsPackedAsSuch) {
  const auto needing = [](int64_t bytes, int64_t gangs) {
    return Want{1, Device::kAuto, gangs, {.base = bytes}};
  };
  Place here = place("a", 4, 4);
  here.memory = 16;
  const std::vector<Allocation> listed = {{"a", kRunning}};
  EXPECT_EQ(submits({needing(4, 4)}, {here}, listed), 0);
  EXPECT_EQ(submits({needing(5, 4)}, {here}, listed), 1) << "two slots each, as on those to come";
  EXPECT_EQ(submits({needing(9, 3)}, {here}, listed), 2);
  EXPECT_EQ(submits({needing(17, 1)}, {here}, listed), 0) << "none that comes would hold it";
  EXPECT_EQ(submits({needing(17, 1)}), 1) << "nothing is known of those that come";
  EXPECT_EQ(submits({{2, Device::kAuto, 1, {.base = 10}}}, {here}, listed), 1) << "one on each";
}

TEST_F(FleetTest, AWorkerOfAnotherSizeThanWasSaidIsToldOnce) {
  const std::vector<Allocation> listed = {{"a", kRunning}, {"b", kRunning}, {"c", kRunning}};
  const Demand came{
      {},
      {place("a", 4, 4), place("b", 8, 8), place("c", 4, 4, Device::kCuda), place("other", 1, 1)}};
  EXPECT_THAT(look(0, listed, came).surprises,
              ElementsAre("b has brought a worker of 8 slots and no GPU, counted on were 4 slots "
                          "and no GPU",
                          "c has brought a worker of 4 slots and GPUs, counted on were 4 slots and "
                          "no GPU"));
  EXPECT_THAT(look(1, listed, came).surprises, IsEmpty());
}

TEST_F(FleetTest, LettingGoOfWhatIsIdle) {
  const Demand idle{{}, {place("a", 4, 4)}};
  const Demand busy{{}, {place("a", 4, 3)}};
  EXPECT_THAT(look(0, {{"a", kRunning}}, busy).release, IsEmpty());
  EXPECT_THAT(look(299, {{"a", kRunning}}, idle).release, IsEmpty());
  EXPECT_THAT(look(300, {{"a", kRunning}}, idle).release, ElementsAre("a"));
  EXPECT_THAT(look(301, {{"a", kRunning}}, busy).release, IsEmpty())
      << "something was placed there";
  EXPECT_THAT(look(602, {{"a", kRunning}}, idle).release, ElementsAre("a"));
  fleet_.released("a");
  EXPECT_EQ(fleet_.counts().at("ending"), 1);
  const auto after = look(603, {{"a", kRunning}}, idle);
  EXPECT_THAT(after.cancel, ElementsAre("a")) << "again, as it is still there";
  EXPECT_THAT(after.release, IsEmpty());
  EXPECT_THAT(look(604, {}).failures, IsEmpty());
}

TEST_F(FleetTest, WhatWaitsForAPendingOneKeepsItAndNothingElseDoes) {
  const Demand waiting{{{1, Device::kAuto, 1}}, {}};
  look(0, {{"a", kPending}}, waiting);
  EXPECT_THAT(look(1000, {{"a", kPending}}, waiting).withdraw, IsEmpty());
  EXPECT_THAT(look(1299, {{"a", kPending}}).withdraw, IsEmpty());
  EXPECT_THAT(look(1300, {{"a", kPending}}).withdraw, ElementsAre("a"));
  EXPECT_THAT(look(1301, {{"a", kPending}}).withdraw, ElementsAre("a")) << "it was not heard";
  const auto plan = look(1302, {{"a", kRunning}});
  EXPECT_THAT(plan.withdraw, IsEmpty());
  EXPECT_THAT(plan.cancel, IsEmpty()) << "it has started, and begins to be idle";
  EXPECT_EQ(fleet_.counts().at("starting"), 1);
}

TEST_F(FleetTest, OneThatStartsWhileItIsWithdrawnIsAsGoodAsAnother) {
  look(0, {{"a", kPending}});
  EXPECT_THAT(look(300, {{"a", kPending}}).withdraw, ElementsAre("a"));
  const Demand came{{}, {place("a", 4, 4)}};
  look(301, {{"a", kPending}}, came);  // its worker has come since it was listed
  look(302, {{"a", kRunning}}, came);
  EXPECT_EQ(fleet_.counts().at("running"), 1);
  EXPECT_THAT(look(600, {{"a", kRunning}}, came).release, IsEmpty());
  EXPECT_THAT(look(601, {{"a", kRunning}}, came).release, ElementsAre("a"));
}

TEST_F(FleetTest, AnAllocationWithoutAWorkerIsGivenUp) {
  look(0, {{"a", kRunning}});
  EXPECT_THAT(look(10, {{"a", kRunning}}, {{{1, Device::kAuto, 1}}, {}}).cancel, IsEmpty());
  const auto plan = look(600, {{"a", kRunning}}, {{{1, Device::kAuto, 1}}, {}});
  EXPECT_THAT(plan.cancel, ElementsAre("a"));
  EXPECT_THAT(plan.failures, ElementsAre("a has run for 600 s without a worker that is connected"));
  EXPECT_THAT(look(630, {}).failures, IsEmpty()) << "it is told once";
}

TEST_F(FleetTest, FailuresAreFollowedByPausesUntilAWorkerHasCome) {
  const Demand waiting{{{4, Device::kAuto, 3}}, {}};
  EXPECT_EQ(look(0, {}, waiting).submit, 3);
  for (const char* id : {"a", "b", "c"}) fleet_.submitted(at(0), id);
  EXPECT_EQ(look(1, {{"b", kRunning}, {"c", kPending}}, waiting).submit, 0);
  EXPECT_EQ(look(31, {{"b", kRunning}, {"c", kPending}}, waiting).submit, 1);
  fleet_.refused(at(31));
  EXPECT_EQ(look(90, {{"b", kRunning}, {"c", kPending}}, waiting).submit, 0);
  EXPECT_EQ(look(91, {{"b", kRunning}, {"c", kPending}}, waiting).submit, 1);
  const Demand came{{{4, Device::kAuto, 3}}, {place("b", 4, 0)}};
  EXPECT_EQ(look(92, {{"b", kRunning}}, came).submit, 0) << "another has failed, 30 s are back";
  EXPECT_EQ(look(122, {{"b", kRunning}}, came).submit, 1) << "one by one";
}

TEST_F(FleetTest, ManyThatEndTogetherAreOneFailure) {
  const Demand waiting{{{4, Device::kAuto, 3}}, {}};
  for (const char* id : {"a", "b", "c"}) fleet_.submitted(at(0), id);
  EXPECT_EQ(look(1, {}, waiting).failures.size(), 3U);
  EXPECT_EQ(look(30, {}, waiting).submit, 0);
  EXPECT_EQ(look(31, {}, waiting).submit, 1) << "the first pause";
}

TEST_F(FleetTest, AWorkerThatComesEndsThePause) {
  const Demand waiting{{{4, Device::kAuto, 3}}, {}};
  for (int i = 0; i < 6; ++i) fleet_.refused(at(0));
  EXPECT_EQ(look(1000, {}, waiting).submit, 1);
  fleet_.submitted(at(1000), "a");
  EXPECT_EQ(look(1001, {{"a", kRunning}}, waiting).submit, 0);
  const Demand came{{{4, Device::kAuto, 3}}, {place("a", 4, 0)}};
  EXPECT_EQ(look(1002, {{"a", kRunning}}, came).submit, 2);
}

}  // namespace
}  // namespace prefixmem::scheduler
