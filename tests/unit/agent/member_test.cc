// A member of a gang over several hosts: its daemon from the start to what the head hears of it.
#include "worker/agent/attempt/member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/agent/agent_world.h"
#include "tests/unit/agent/assigned.h"
#include "worker/agent/attempt/bell.h"

namespace prefixmem::agent {
namespace {

constexpr Millis kPatience{60000};

class MemberTest : public AgentWorldTest {
 protected:
  // `script`: what the daemon does.
  void start_with(const std::string& script) {
    AttemptOptions options = options_for("");
    options.programs.orted = write_script(folder_.path() / "orted", script);
    world_.emplace(world_with(std::move(options)));
    world_->gang.limits.look = Millis(20);
    world_->gang.limits.standstill = Millis(1000);
    GangAssignment gang{.ranks = 3, .attempts = {assigned(kKey)}};
    gang.hosts = {{"w0", "host-of-w0", 2}, {"w1", "here", 1}};
    gang.self = 1;
    member_.emplace(std::move(gang), std::vector<std::string>(), *world_, [this] { bell_.ring(); });
    hear<MemberReady>();
    tell(StartDaemon{{"-mca", "ess", "env"}});
  }
  void tell(NoteBody body) { member_->on_note({kKey, "w0", ++told_, heard_, std::move(body)}); }

  template <class Body>
  std::optional<Body> hear() {
    const MonotonicTime deadline = real_clock().monotonic() + kPatience;
    while (real_clock().monotonic() < deadline) {
      const auto note = member_->next_note();
      if (!note) {
        bell_.wait_until(deadline);
        continue;
      }
      heard_ = std::max(heard_, note->number);
      if (!note->body) continue;
      if (const auto* body = std::get_if<Body>(&*note->body)) return *body;
    }
    ADD_FAILURE() << "the member does not say it in time";
    return std::nullopt;
  }

  const AttemptKey kKey{"job-a", 1};
  Bell bell_;
  int64_t told_ = 0, heard_ = 0;
  std::optional<AttemptWorld> world_;
  std::optional<Member> member_;  // last: uses all of the above
};

TEST_F(MemberTest, TheHeadHearsWhatItsDaemonEndedWith) {
  start_with("sys.exit(3)");
  const auto end = hear<DaemonEnded>();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->status.ok()) << end->status.message();
  EXPECT_EQ(end->code, 3);
  EXPECT_FALSE(member_->holds_slots());
}

TEST_F(MemberTest, ItsDaemonHasANameOfItsOwn) {
  start_with(R"(sys.exit(0 if os.environ["PMIX_HOSTNAME"] == "pmt-member1" else 1))");
  EXPECT_EQ(hear<DaemonEnded>().value_or(DaemonEnded{{}, 2}).code, 0);
}

TEST_F(MemberTest, AStopKillsIt) {
  start_with("wait_for_signals()");
  tell(StopDaemon{});
  const auto end = hear<DaemonEnded>();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->status.ok()) << end->status.message();
  EXPECT_EQ(end->code, 0);
}

TEST_F(MemberTest, OneThatASignalHasStoppedEndsTheGang) {
  start_with("os.kill(os.getpid(), signal.SIGSTOP)");
  const auto end = hear<DaemonEnded>();
  ASSERT_TRUE(end);
  EXPECT_THAT(end->status.to_string(),
              testing::MatchesRegex("UNAVAILABLE: worker w1: process [0-9]+ has been stopped by "
                                    "a signal for 1 s"));
}

}  // namespace
}  // namespace prefixmem::agent
