// The head of a gang over several hosts, with its sockets and without processes.
#include "worker/agent/hosts/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "common/files.h"
#include "common/unix_socket.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/attempt/bell.h"
#include "worker/agent/gang/event_server.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Millis kPatience{30000};

bool never() { return false; }

// What the gang's thread would hear.
class Diary final : public EventServer::Listener {
 public:
  Status on_event(const TrialEvent& event) override {
    entries.push_back(to_json_line(event));
    return {};
  }
  void on_rank_joined(int rank, const RankHome& home) override {
    entries.push_back("+" + std::to_string(rank) + " on " + home.host);
  }
  void on_rank_call(int rank, const RankCall& call) override {
    entries.push_back(std::to_string(rank) + " in " + call.name);
  }
  void on_rank_left(int rank) override { entries.push_back("-" + std::to_string(rank)); }

  std::vector<std::string> entries;
};

class HeadTest : public testing::Test {
 protected:
  void SetUp() override {
    head_.emplace(AttemptKey{"job-a", 1},
                  std::vector<GangHost>{{"w0", "here", 1}, {"w1", "there", 2}, {"w2", "yonder", 1}},
                  [this] { bell_.ring(); });
    const Status opened = head_->open({folder_.path() / "events", folder_.path() / "requests"});
    ASSERT_TRUE(opened.ok()) << opened.message();
  }

  // mpirun's remote shell asks for a host.
  Fd ask(const std::string& host, const std::string& program = " orted") const {
    auto connected = connect_unix(folder_.path() / "requests");
    EXPECT_TRUE(connected.ok()) << connected.status().message();
    Fd socket = std::move(*connected);
    const nlohmann::json request = {{"host", host}, {"words", {program, "-mca", "ess", "env"}}};
    EXPECT_TRUE(write_all(socket.get(), request.dump() + "\n", "the socket").ok());
    return socket;
  }
  // Until the agent closes.
  static nlohmann::json answer(const Fd& socket) {
    std::string text;
    char block[4096];
    for (ssize_t count = 0; (count = recv(socket.get(), block, sizeof block, 0)) > 0;) {
      text.append(block, static_cast<size_t>(count));
    }
    return nlohmann::json::parse(text, nullptr, false);
  }

  // The next note that is to be sent, which the other side takes.
  Note next() {
    const MonotonicTime deadline = real_clock().monotonic() + kPatience;
    while (real_clock().monotonic() < deadline) {
      if (auto note = head_->next_note()) {
        if (note->body) taken_[note->worker] = note->number;
        if (note->body) return *note;
        continue;
      }
      bell_.wait_until(deadline);
    }
    ADD_FAILURE() << "no note in time";
    return {};
  }
  void say(const std::string& worker, NoteBody body) {
    head_->on_note({{"job-a", 1}, worker, ++said_[worker], taken_[worker], std::move(body)});
  }
  // What the gang's socket has heard, once it is as long.
  std::vector<std::string> heard(size_t count) {
    const MonotonicTime deadline = real_clock().monotonic() + kPatience;
    while (diary_.entries.size() < count && real_clock().monotonic() < deadline) {
      std::vector<pollfd> polled;
      gang_.add_to(polled);
      poll(polled.data(), polled.size(), 1000);
      EXPECT_TRUE(gang_.serve(diary_).ok());
    }
    return diary_.entries;
  }

  const TempFolder folder_;
  Bell bell_;
  EventServer gang_ = std::move(*EventServer::listen(folder_.path() / "events"));
  Diary diary_;
  std::map<std::string, int64_t> said_, taken_;
  std::optional<Head> head_;
};

TEST_F(HeadTest, HasTheMemberStartWhatMpirunAsksFor) {
  const Fd shell = ask("pmt-member2");
  const Note note = next();
  EXPECT_EQ(note.worker, "w2");
  EXPECT_THAT(std::get<StartDaemon>(*note.body).arguments, ElementsAre("-mca", "ess", "env"));
  say("w2", DaemonEnded{{}, 3});
  EXPECT_EQ(answer(shell)["exit"], 3);
}

TEST_F(HeadTest, RefusesAnotherProgramAndFailsTheGang) {
  const Fd shell = ask("pmt-member1", "/bin/sh");
  EXPECT_EQ(answer(shell)["exit"], exit_code(failed_precondition("")));
  EXPECT_THAT(heard(1).front(), HasSubstr("mpirun wants \\\"/bin/sh\\\""));
}

TEST_F(HeadTest, RanksOfOtherHostsAreAtTheGangsSocketWithTheirHost) {
  say("w1", RankLine{4, R"({"hello":{"rank":2,"pid":77}})"});
  EXPECT_THAT(heard(1), ElementsAre("+2 on there"));
  say("w1", RankLine{4, R"({"call":{"name":"all_reduce","number":1,"seconds":2.0}})"});
  EXPECT_THAT(heard(2).back(), "2 in all_reduce");
  EXPECT_TRUE(gang_.tell(2, "{\"where\":{}}\n"));
  const Note told = next();
  EXPECT_EQ(told.worker, "w1");
  EXPECT_EQ(std::get<RankLine>(*told.body).connection, 4);
  EXPECT_EQ(std::get<RankLine>(*told.body).text, "{\"where\":{}}");
  say("w1", RankLeft{4});
  EXPECT_EQ(heard(3).back(), "-2");
}

TEST_F(HeadTest, AFailureOfAMemberIsTheGangsOnceMpirunHasAsked) {
  say("w1", DaemonEnded{not_found("no such model"), 5});
  const Fd shell = ask("pmt-member1");
  EXPECT_EQ(answer(shell)["message"], "no such model");
  const std::string line = heard(1).front();
  EXPECT_THAT(line, HasSubstr("NOT_FOUND"));
  EXPECT_THAT(line, HasSubstr("\"rank\":1"));
}

TEST_F(HeadTest, AMemberThatIsLostEndsTheGangAsUnavailable) {
  const Fd shell = ask("pmt-member1");
  next();
  head_->on_note({{"job-a", 1}, "w1", 0, 0, MemberGone{"worker w1 is lost"}});
  EXPECT_EQ(answer(shell)["exit"], exit_code(unavailable("")));
  EXPECT_THAT(heard(1).front(), HasSubstr("worker w1 is lost"));
}

TEST_F(HeadTest, AShellThatMpirunHasEndedStopsTheDaemon) {
  Fd shell = ask("pmt-member1");
  EXPECT_TRUE(std::holds_alternative<StartDaemon>(*next().body));
  shell.reset();
  EXPECT_TRUE(std::holds_alternative<StopDaemon>(*next().body));
}

TEST_F(HeadTest, PartsOnceEveryMemberHasEnded) {
  std::thread members([this] {
    for (int i = 0; i < 2; ++i) {
      const Note note = next();
      EXPECT_TRUE(std::holds_alternative<StopDaemon>(*note.body));
      say(note.worker, DaemonEnded{});
    }
  });
  EXPECT_TRUE(head_->part(kPatience, never).ok());
  members.join();
}

TEST_F(HeadTest, NamesThoseThatDoNotTell) {
  say("w1", DaemonEnded{});
  EXPECT_EQ(head_->part(Millis(10), never).message(),
            "worker w2 has not told that nothing of the gang is left there");
}

TEST_F(HeadTest, WaitsNoLongerWhereNobodyWantsToKnow) {
  std::atomic<bool> unwanted = false;
  std::thread other([&] {
    unwanted = true;
    head_->nudge();
  });
  const auto given_up = [&] { return unwanted.load(); };
  EXPECT_FALSE(head_->part(std::chrono::hours(1), given_up).ok());
  EXPECT_TRUE(head_->wait_until_ready(given_up).ok());
  other.join();
}

TEST_F(HeadTest, SaysHowMembersEnded) {
  say("w1", DaemonEnded{});
  say("w2", DaemonEnded{unavailable("killed"), 1});
  EXPECT_EQ(head_->part(kPatience, never).message(), "killed");
}

TEST_F(HeadTest, IsReadyOnceEveryMemberIs) {
  say("w1", MemberReady{});
  std::thread other([this] { say("w2", MemberReady{}); });
  EXPECT_TRUE(head_->wait_until_ready(never).ok());
  other.join();
}

TEST_F(HeadTest, IsNotReadyForAMemberThatHasFailedOrIsLost) {
  say("w1", MemberReady{});
  head_->on_note({{"job-a", 1}, "w2", 0, 0, MemberGone{"worker w2 is lost"}});
  EXPECT_EQ(head_->wait_until_ready(never).to_string(), "UNAVAILABLE: worker w2 is lost");
}

TEST_F(HeadTest, WhatAStrangerSaysIsDropped) {
  head_->on_note({{"job-a", 1}, "w9", 1, 0, RankLine{1, R"({"hello":{"rank":3,"pid":7}})"}});
  say("w2", RankLine{1, R"({"hello":{"rank":3,"pid":8}})"});
  EXPECT_THAT(heard(1), ElementsAre("+3 on yonder"));
}

}  // namespace
}  // namespace prefixmem::agent
