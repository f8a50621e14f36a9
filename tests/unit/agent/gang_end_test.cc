#include "worker/agent/gang/gang_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/agent/gang/memory_probe.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;

const char* const kNotice =
    "mpirun noticed that process rank 3 with PID 7 on node h exited on signal 9 (Killed).";

GangEnd ended_with(int code, std::deque<std::string> output = {}) {
  GangEnd end;
  end.exit.code = code;
  end.output = std::move(output);
  return end;
}

TEST(ExplainEnd, CodeZeroIsWell) { EXPECT_TRUE(explain_end(ended_with(0)).ok()); }

TEST(ExplainEnd, AFailureThatARankReported) {
  GangEnd end = ended_with(12);
  end.failure = FailureEvent{1, not_found("model folder /m does not exist")};
  const Status status = explain_end(end);
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "model folder /m does not exist");
}

TEST(ExplainEnd, TheLastWordsWhereNoFailureWasReported) {
  const Status status = explain_end(ended_with(14, {"loading", "weights are cut short", ""}));
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_EQ(status.message(), "weights are cut short");
}

TEST(ExplainEnd, ACodeThatMeansNothing) {
  EXPECT_THAT(explain_end(ended_with(3)).message(),
              HasSubstr("exited with code 3: it wrote nothing to stderr"));
  EXPECT_EQ(explain_end(ended_with(3)).code(), Code::kInternal);
}

TEST(ExplainEnd, ARankThatWasKilledIsNamed) {
  const std::string notice =
      "mpirun noticed that process rank 3 with PID 7 on node h exited on signal 11 (Segmentation "
      "fault).";
  const Status status = explain_end(ended_with(139, {"bye", "----------", notice, "----------"}));
  EXPECT_EQ(status.to_string(),
            "INTERNAL: rank 3 was killed by signal 11 (SIGSEGV); its last words: bye");
}

TEST(ExplainEnd, ASignalThatOnlySomebodyElseSendsIsTriedAgain) {
  EXPECT_EQ(
      explain_end(ended_with(137, {"bye", kNotice})).to_string(),
      "UNAVAILABLE: rank 3 was killed by signal 9 (SIGKILL), which somebody on its host sent");
}

TEST(ExplainEnd, AKillForMemoryNamesTheRemedy) {
  GangEnd end = ended_with(137, {kNotice});
  end.memory_ran_out = true;
  const Status status = explain_end(end);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("train.micro_batch_tokens"));
  end.largest_bytes = int64_t{1234} << 20;
  EXPECT_THAT(explain_end(end).message(),
              HasSubstr("because the host ran out of memory, of which its largest process held "
                        "1234 MiB; lower train.micro_batch_tokens"));
}

TEST(ExplainEnd, AFailureThatFollowsALossIsOnlyItsConsequence) {
  GangEnd end = ended_with(139);
  end.first_lost_rank = 2;
  end.failure = FailureEvent{0, unavailable("rank 2 does not answer")};
  EXPECT_THAT(explain_end(end).message(), HasSubstr("rank 2 was killed by signal 11 (SIGSEGV)"));
  end.failed_before_loss = true;
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
}

TEST(ExplainEnd, TheAgentsOwnTroubleComesFirst) {
  GangEnd end = ended_with(12);
  end.failure = FailureEvent{0, not_found("x")};
  end.trouble = resource_exhausted("disk full");
  EXPECT_EQ(explain_end(end).message(), "disk full");
}

TEST(ExplainEnd, AStopThatNobodyHereAskedForIsTriedAgain) {
  GangEnd end = ended_with(17);
  end.failure = FailureEvent{0, cancelled("stopped by a signal after step 3 of 9")};
  EXPECT_EQ(explain_end(end).code(), Code::kUnavailable);
}

TEST(ExplainEnd, MpirunItselfWasKilled) {
  GangEnd end;
  end.exit.signal = 15;
  EXPECT_EQ(
      explain_end(end).to_string(),
      "UNAVAILABLE: mpirun was killed by signal 15 (SIGTERM), which somebody on its host sent");
}

TEST(LastWords, PassOverMpirunsNotices) {
  EXPECT_EQ(last_words({"one", "two", "", "-----------", "Primary job terminated", "-----------"}),
            "two");
  EXPECT_EQ(last_words({"  ", ""}), "");
}

TEST(KilledRank, IsReadFromTheNotice) {
  const auto killed = killed_rank({"x", kNotice, "y"});
  ASSERT_TRUE(killed.has_value());
  EXPECT_EQ(killed->rank, 3);
  EXPECT_EQ(killed->signal, 9);
  EXPECT_FALSE(killed_rank({"rank 3 is fine"}).has_value());
}

TEST(Memory, RanOutWhereTheKernelCountedAKill) {
  const MemoryReading before{4, 1000, 1000}, plenty{4, 900, 1000};
  EXPECT_FALSE(memory_ran_out(before, plenty, 50, plenty));
  EXPECT_TRUE(memory_ran_out(before, plenty, 50, {5, 900, 1000}));
}

TEST(Memory, RanOutWhereLittleWasLeftAndTheGangHeldMore) {
  const MemoryReading before{0, 1000, 1000}, scarce{0, 40, 1000}, after{0, 900, 1000};
  EXPECT_TRUE(memory_ran_out(before, scarce, 800, after));
  EXPECT_FALSE(memory_ran_out(before, scarce, 30, after));
}

TEST(Memory, OfThisHostIsKnown) { EXPECT_GT(read_memory().total_bytes, 0); }

}  // namespace
}  // namespace prefixmem::agent
