// Gangs over several workers, as the coordinator sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const char* const kThreeRanks = "resources: {ranks: 3}";

class GangHostsTest : public CoordinatorTest {
 protected:
  // "wide" comes to run with two ranks on "big" and one on "small".
  void run_wide() {
    ASSERT_TRUE(connect("big", 2).ok());
    ASSERT_TRUE(connect("small", 1).ok());
    submit("wide", kThreeRanks);
    coordinator().tick();
    heard("small");
    heard("big");
    ASSERT_TRUE(events("big", "wide/1", 1, {step_event(1)}).ok());
    coordinator().tick();
    heard("big");
  }
  Status note(const std::string& from, const std::string& to, int64_t number) {
    v1::WorkerMessage message;
    v1::GangNote& out = *message.mutable_note();
    *out.mutable_id() = attempt("wide/1");
    out.set_worker_id(to);
    out.set_number(number);
    out.mutable_line()->set_text("hello");
    return receive(from, message);
  }
};

TEST_F(GangHostsTest, EachWorkerIsToldAllOfIt) {
  ASSERT_TRUE(connect("big", 2).ok());
  ASSERT_TRUE(connect("small", 1).ok());
  submit("wide", kThreeRanks);
  coordinator().tick();
  EXPECT_EQ(state("wide"), "starting: 3 ranks on 2 workers: 2 on big, 1 on small");
  for (const char* id : {"big", "small"}) {
    ASSERT_FALSE(link(id)->sent.empty());
    const v1::Assign& assign = link(id)->sent.back().assign();
    EXPECT_EQ(assign.ranks(), 3);
    EXPECT_EQ(assign.gang(), "") << "nobody joins it";
    ASSERT_EQ(assign.hosts_size(), 2);
    EXPECT_EQ(assign.hosts(0).worker_id(), "big");
    EXPECT_EQ(assign.hosts(0).ranks(), 2);
    EXPECT_EQ(assign.hosts(1).worker_id(), "small");
    EXPECT_EQ(assign.hosts(1).ranks(), 1);
  }
  EXPECT_EQ(job("wide").hosts_size(), 2);
  for (const v1::Worker& worker : coordinator().workers()) {
    EXPECT_EQ(worker.used_slots(), worker.slots());
    EXPECT_THAT(worker.job_ids(), ElementsAre(job("wide").id()));
  }
}

TEST_F(GangHostsTest, PassesOnWhatItsWorkersSayToEachOther) {
  run_wide();
  ASSERT_TRUE(connect("other", 1).ok());
  heard("other");
  ASSERT_TRUE(note("big", "small", 1).ok());
  ASSERT_EQ(link("small")->sent.size(), 1U);
  EXPECT_EQ(link("small")->sent[0].note().worker_id(), "big");
  EXPECT_EQ(link("small")->sent[0].note().line().text(), "hello");
  ASSERT_TRUE(note("big", "other", 2).ok());
  EXPECT_THAT(heard("other"), IsEmpty()) << "it has no part in the gang";
  ASSERT_TRUE(note("other", "big", 1).ok());
  v1::WorkerMessage gone;
  *gone.mutable_note()->mutable_id() = attempt("wide/1");
  gone.mutable_note()->set_worker_id("big");
  gone.mutable_note()->mutable_gone()->set_reason("so says small");
  ASSERT_TRUE(receive("small", gone).ok());
  EXPECT_THAT(heard("big"), IsEmpty()) << "who is lost is the coordinator's to say";
}

TEST_F(GangHostsTest, MembersSayNothingToEachOther) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(connect(id, 1).ok());
  submit("wide", kThreeRanks);
  coordinator().tick();
  for (const char* id : {"a", "b", "c"}) heard(id);
  ASSERT_TRUE(note("b", "c", 1).ok());
  EXPECT_THAT(heard("c"), IsEmpty());
  ASSERT_TRUE(note("b", "a", 1).ok());
  EXPECT_THAT(heard("a"), ElementsAre("note of wide/1 from b"));
}

TEST_F(GangHostsTest, AHeadThatForgotBeginsAnewWithAnotherNumber) {
  ASSERT_TRUE(connect("big", 2).ok());
  ASSERT_TRUE(connect("small", 1).ok());
  submit("wide", kThreeRanks);
  coordinator().tick();
  heard("small");
  ASSERT_TRUE(connect("big", 2).ok());  // before any event of it
  coordinator().tick();
  EXPECT_EQ(job("wide").attempt(), 2);
  EXPECT_THAT(heard("small"), ElementsAre("cancel wide/1: the attempt is over", "assign wide/2"));
}

TEST_F(GangHostsTest, TheHeadHearsThatAMemberIsLost) {
  run_wide();
  for (int i = 0; i < 500; ++i) {
    pass(Millis(100));
    ASSERT_TRUE(heartbeat("big", {"wide/1"}).ok());
  }
  EXPECT_THAT(heard("big"), Contains(HasSubstr("small is gone from wide/1: worker small ")));
  EXPECT_EQ(job("wide").attempt(), 1) << "the gang is the head's to end";
  ASSERT_TRUE(ended("big", "wide/1", "UNAVAILABLE", "worker small is lost").ok());
  EXPECT_THAT(state("wide"), HasSubstr("queued"));
  ASSERT_TRUE(connect("small", 1).ok());
  coordinator().tick();
  EXPECT_EQ(job("wide").attempt(), 2);
}

TEST_F(GangHostsTest, WithoutItsHeadTheGangIsGone) {
  run_wide();
  for (int i = 0; i < 500; ++i) {
    pass(Millis(100));
    ASSERT_TRUE(heartbeat("small", {"wide/1"}).ok());
  }
  EXPECT_THAT(history("wide"), Contains(HasSubstr("retry 1 of 3")));
  EXPECT_THAT(heard("small"), Contains("cancel wide/1: the attempt is over"));
}

TEST_F(GangHostsTest, MembersAreReleasedAtTheEnd) {
  run_wide();
  ASSERT_TRUE(ended("big", "wide/1", "OK").ok());
  EXPECT_EQ(state("wide"), "succeeded: finished");
  EXPECT_THAT(heard("small"), ElementsAre("cancel wide/1: the attempt is over"));
  for (const v1::Worker& worker : coordinator().workers()) EXPECT_EQ(worker.used_slots(), 0);
}

TEST_F(GangHostsTest, AMemberThatForgotIsGone) {
  run_wide();
  ASSERT_TRUE(connect("small", 1).ok());  // its agent has started anew
  EXPECT_THAT(heard("big"),
              Contains("small is gone from wide/1: worker small no longer runs its ranks"));
}

TEST_F(GangHostsTest, AHeadThatWasAwayHearsOfItLater) {
  run_wide();
  disconnect("big");
  ASSERT_TRUE(connect("small", 1).ok());
  ASSERT_TRUE(connect("big", 2, {"wide/1"}).ok());
  EXPECT_THAT(heard("big"),
              Contains("small is gone from wide/1: worker small no longer runs its ranks"));
}

TEST_F(GangHostsTest, OutlivesTheCoordinator) {
  run_wide();
  restart();
  ASSERT_TRUE(connect("big", 2, {"wide/1"}).ok());
  ASSERT_TRUE(connect_member("small", 1, {"wide/1"}).ok());
  EXPECT_THAT(heard("small"), ElementsAre("registered"));
  EXPECT_THAT(heard("big"), ElementsAre("registered"));
  ASSERT_TRUE(note("small", "big", 1).ok());
  EXPECT_THAT(heard("big"), ElementsAre("note of wide/1 from small"));
}

TEST_F(GangHostsTest, AMemberOfAnAttemptThatIsOverIsToldSo) {
  run_wide();
  disconnect("small");
  ASSERT_TRUE(ended("big", "wide/1", "OK").ok());
  ASSERT_TRUE(connect_member("small", 1, {"wide/1"}).ok());
  EXPECT_THAT(heard("small"), ElementsAre("registered, stale wide/1"));
}

TEST_F(GangHostsTest, AMemberThatShutsDownHasTheGangLeave) {
  run_wide();
  ASSERT_TRUE(heartbeat("small", {"wide/1"}, true).ok());
  coordinator().tick();
  EXPECT_THAT(heard("big"), Contains("cancel wide/1: worker small is shutting down"));
  ASSERT_TRUE(ended("big", "wide/1", "CANCELLED").ok());
  EXPECT_THAT(state("wide"), HasSubstr("queued"));
}

TEST_F(GangHostsTest, ADrainedMemberIsLeft) {
  run_wide();
  ASSERT_TRUE(coordinator().drain("small").ok());
  EXPECT_THAT(heard("big"), Contains("cancel wide/1: worker small is drained"));
}

}  // namespace
}  // namespace prefixmem
