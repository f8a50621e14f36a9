#include "worker/agent/gang/trials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

MonotonicTime at(int64_t millis) { return MonotonicTime(Millis(millis)); }
TrialEvent result_of(int trial) { return {trial, ResultEvent{}}; }
TrialEvent failure_of(int trial) { return {trial, FailureEvent{0, internal_error("x")}}; }

TEST(Trials, EndWithTheirResultOrFailure) {
  Trials trials(2);
  trials.note(result_of(0));
  trials.note({1, LogEvent{0, "info", "x"}});
  trials.note(failure_of(TrialEvent::kWholeGang));
  trials.note(failure_of(7));
  EXPECT_FALSE(trials.all_ended());
  trials.note(failure_of(1));
  EXPECT_TRUE(trials.all_ended());
}

TEST(Trials, OneThatIsAddedCountsFromItsFirstEventOn) {
  Trials trials(1);
  trials.add();
  trials.note(result_of(0));
  EXPECT_TRUE(trials.all_ended()) << "the gang may leave without it";
  trials.note({1, LogEvent{0, "info", "here"}});
  EXPECT_FALSE(trials.all_ended());
  trials.note(result_of(1));
  EXPECT_TRUE(trials.all_ended());
}

TEST(Trials, AGangThatIsNoBankHasNone) {
  Trials none(0);
  none.note(result_of(TrialEvent::kWholeGang));
  EXPECT_FALSE(none.all_ended());
  EXPECT_FALSE(none.deadline().has_value());
}

TEST(Trials, ARequestIsToldOnceAndItsEarliestTimeCounts) {
  Trials trials(3);
  trials.ask_to_leave({2, at(50)});
  trials.ask_to_leave({0, at(40)});
  trials.ask_to_leave({2, at(30)});
  trials.ask_to_leave({2, at(90)});
  EXPECT_THAT(trials.take_lines(),
              ElementsAre("{\"stop\":{\"trial\":2}}\n", "{\"stop\":{\"trial\":0}}\n"));
  EXPECT_THAT(trials.take_lines(), IsEmpty());
  EXPECT_EQ(trials.deadline(), at(30));
  EXPECT_THAT(trials.late(at(29)), IsEmpty());
  EXPECT_THAT(trials.late(at(30)), ElementsAre(2));
  EXPECT_THAT(trials.late(at(40)), ElementsAre(0, 2));
}

TEST(Trials, WhatHasEndedIsNotWaitedFor) {
  Trials trials(2);
  trials.ask_to_leave({1, at(10)});
  trials.note(failure_of(1));
  trials.ask_to_leave({1, at(10)});
  EXPECT_FALSE(trials.deadline().has_value());
  EXPECT_THAT(trials.late(at(99)), IsEmpty());
}

}  // namespace
}  // namespace prefixmem::agent
