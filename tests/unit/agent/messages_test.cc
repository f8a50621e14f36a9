#include "worker/agent/stream/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// As the other side gets it.
Note passed_on(const Note& note) { return note_of(note_message(note).note()); }

Note note_with(NoteBody body) { return {{"job-a", 2}, "w1", 7, 5, std::move(body)}; }

TEST(Notes, KeepWhatTheySay) {
  const Note start = passed_on(note_with(StartDaemon{{"-mca", "ess"}}));
  EXPECT_EQ(start.key, (AttemptKey{"job-a", 2}));
  EXPECT_EQ(start.worker, "w1");
  EXPECT_EQ(start.number, 7);
  EXPECT_EQ(start.acknowledged, 5);
  EXPECT_THAT(std::get<StartDaemon>(*start.body).arguments, ElementsAre("-mca", "ess"));
  EXPECT_TRUE(std::holds_alternative<MemberReady>(*passed_on(note_with(MemberReady{})).body));
  EXPECT_TRUE(std::holds_alternative<StopDaemon>(*passed_on(note_with(StopDaemon{})).body));
  const Note ended = passed_on(note_with(DaemonEnded{not_found("no model"), 9}));
  EXPECT_EQ(std::get<DaemonEnded>(*ended.body).status.to_string(), "NOT_FOUND: no model");
  EXPECT_EQ(std::get<DaemonEnded>(*ended.body).code, 9);
  const Note line = passed_on(note_with(RankLine{3, "hello"}));
  EXPECT_EQ(std::get<RankLine>(*line.body).connection, 3);
  EXPECT_EQ(std::get<RankLine>(*line.body).text, "hello");
  EXPECT_EQ(std::get<RankLeft>(*passed_on(note_with(RankLeft{3})).body).connection, 3);
  EXPECT_EQ(std::get<MemberGone>(*passed_on(note_with(MemberGone{"why"})).body).reason, "why");
  EXPECT_FALSE(passed_on({{"job-a", 2}, "w1", 0, 5, std::nullopt}).body);
}

class AssignmentTest : public testing::Test {
 protected:
  AssignmentTest() {
    assign_.set_ranks(3);
    assign_.add_attempts()->mutable_id()->set_job_id("job-a");
    add_host("w0", 2);
    add_host("w1", 1);
  }
  void add_host(const std::string& id, int ranks) {
    v1::GangHost& host = *assign_.add_hosts();
    host.set_worker_id(id);
    host.set_host("host-of-" + id);
    host.set_ranks(ranks);
  }

  v1::Assign assign_;
};

TEST_F(AssignmentTest, SaysWhichPartIsThisWorkers) {
  const auto head = assignment_of(assign_, "w0");
  ASSERT_TRUE(head.ok());
  EXPECT_FALSE(head->is_member());
  EXPECT_EQ(head->ranks_here(), 2);
  const auto member = assignment_of(assign_, "w1");
  ASSERT_TRUE(member.ok());
  EXPECT_TRUE(member->is_member());
  EXPECT_EQ(member->ranks_here(), 1);
  EXPECT_EQ(member->ranks, 3);
  EXPECT_EQ(member->hosts[0].name, "host-of-w0");
  assign_.mutable_hosts(1)->set_memory_bytes(7);
  EXPECT_EQ(assignment_of(assign_, "w0")->memory_here(), 0);
  EXPECT_EQ(assignment_of(assign_, "w1")->memory_here(), 7);
}

TEST_F(AssignmentTest, RefusesOneThatIsNotForThisWorker) {
  EXPECT_THAT(assignment_of(assign_, "w2").status().message(),
              HasSubstr("allowed: several hosts with this worker, and one attempt"));
  *assign_.add_attempts() = assign_.attempts(0);
  EXPECT_FALSE(assignment_of(assign_, "w0").ok());
}

TEST_F(AssignmentTest, WithoutHostsAllRanksAreHere) {
  assign_.clear_hosts();
  assign_.set_memory_bytes(5);
  const auto gang = assignment_of(assign_, "w2");
  ASSERT_TRUE(gang.ok());
  EXPECT_EQ(gang->memory_here(), 5);
  EXPECT_FALSE(gang->is_member());
  EXPECT_EQ(gang->ranks_here(), 3);
}

}  // namespace
}  // namespace prefixmem::agent
