#include "worker/agent/gang/event_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/files.h"
#include "common/unix_socket.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Writes down what the ranks did, in words.
class Diary final : public EventServer::Listener {
 public:
  Status on_event(const TrialEvent& event) override {
    entries.push_back(to_json_line(event));
    return answer;
  }
  void on_rank_joined(int rank, const RankHome& home) override {
    entries.push_back("+" + std::to_string(rank));
    last_home = home;
  }
  void on_rank_call(int rank, const RankCall& call) override {
    entries.push_back(std::to_string(rank) + " in " + call.name + " " +
                      std::to_string(call.number) + " " + std::to_string(call.seconds));
  }
  void on_rank_left(int rank) override { entries.push_back("-" + std::to_string(rank)); }

  std::vector<std::string> entries;
  RankHome last_home;
  Status answer;
};

class Rank {
 public:
  explicit Rank(const std::filesystem::path& socket) {
    auto fd = connect_unix(socket);
    connected = fd.ok();
    if (connected) fd_ = std::move(*fd);
  }
  void say(const std::string& bytes) const {
    ASSERT_TRUE(write_all(fd_.get(), bytes, "a socket").ok());
  }
  // What it has been told.
  std::string hear() const {
    char bytes[100];
    const ssize_t count = recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return {bytes, static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }
  void leave() { fd_.reset(); }

  bool connected = false;

 private:
  Fd fd_;
};

class EventServerTest : public testing::Test {
 protected:
  void serve() { ASSERT_TRUE(server_.serve(diary_).ok()); }

  const TempFolder folder_;
  const std::filesystem::path socket_ = folder_.path() / "s";
  EventServer server_ = std::move(*EventServer::listen(socket_));
  Diary diary_;
};

const std::string kLog = R"({"log":{"rank":1,"level":"info","message":"hi"}})";

TEST_F(EventServerTest, TellsWhoCameWhatTheySaidAndWhoLeft) {
  Rank rank(socket_);
  rank.say("{\"hello\": {\"rank\": 1, \"pid\": 7}}\n" + kLog + "\n");
  serve();
  EXPECT_THAT(diary_.entries, ElementsAre("+1", kLog));
  EXPECT_EQ(diary_.last_home.pid, 7);
  EXPECT_TRUE(server_.has_ranks());
  rank.say(kLog + "\n");
  rank.leave();
  serve();
  EXPECT_THAT(diary_.entries, ElementsAre("+1", kLog, kLog, "-1"));
  EXPECT_FALSE(server_.has_ranks());
}

TEST_F(EventServerTest, TellsWhoseTrialAnEventIsOf) {
  const Rank rank(socket_);
  const std::string event = R"({"log":{"rank":0,"level":"info","message":"hi"},"trial":3})";
  rank.say("{\"hello\":{\"rank\":0}}\n" + event + "\n");
  serve();
  EXPECT_THAT(diary_.entries, ElementsAre("+0", event));
}

TEST_F(EventServerTest, SpeaksToARankThatHasSaidHello) {
  Rank one(socket_), leader(socket_);
  serve();
  EXPECT_FALSE(server_.tell(0, "too early\n"));
  one.say("{\"hello\":{\"rank\":1}}\n");
  leader.say("{\"hello\":{\"rank\":0}}\n");
  serve();
  EXPECT_TRUE(server_.tell(0, "stop\n"));
  EXPECT_EQ(leader.hear(), "stop\n");
  EXPECT_EQ(one.hear(), "");
  leader.leave();
  serve();
  EXPECT_FALSE(server_.tell(0, "too late\n"));
}

TEST_F(EventServerTest, PutsPiecesOfLinesTogetherForEachRank) {
  const Rank one(socket_), two(socket_);
  one.say("{\"hello\":{\"rank\":0}}\n" + kLog.substr(0, 10));
  two.say("{\"hello\":{\"rank\":1}}\n" + kLog.substr(0, 20));
  serve();
  one.say(kLog.substr(10) + "\n");
  two.say(kLog.substr(20) + "\n");
  serve();
  EXPECT_THAT(diary_.entries, ElementsAre("+0", "+1", kLog, kLog));
}

TEST_F(EventServerTest, WhatIsNoEventBecomesAWarning) {
  const Rank rank(socket_);
  rank.say("{\"hello\":{\"rank\":1}}\nnonsense\n{\"lug\":{}}\n");
  serve();
  ASSERT_EQ(diary_.entries.size(), 3u);
  EXPECT_THAT(diary_.entries[1], HasSubstr(R"("rank":1,"level":"warning")"));
  EXPECT_THAT(diary_.entries[1], HasSubstr("no event"));
  EXPECT_THAT(diary_.entries[2], HasSubstr("lug"));
}

TEST_F(EventServerTest, TellsWhereARankSaysItIs) {
  const Rank rank(socket_);
  const std::string call = R"({"call":{"name":"barrier","number":7,"seconds":2}})";
  rank.say(call + "\n{\"hello\":{\"rank\":1}}\n" + call + "\n{\"call\":{\"name\":3}}\n");
  serve();
  ASSERT_EQ(diary_.entries.size(), 4u);
  EXPECT_THAT(diary_.entries[0], HasSubstr("warning")) << "it has not said who it is";
  EXPECT_THAT(diary_.entries[2], "1 in barrier 7 2.000000");
  EXPECT_THAT(diary_.entries[3], HasSubstr("warning"));
}

TEST_F(EventServerTest, AStrangerWithoutAHelloIsNoRank) {
  Rank stranger(socket_);
  stranger.say("{\"hello\":{\"rank\":-1}}\n");
  stranger.leave();
  serve();
  ASSERT_EQ(diary_.entries.size(), 1u);
  EXPECT_THAT(diary_.entries[0], HasSubstr("warning"));
}

TEST_F(EventServerTest, ANumberThatIsTooLargeIsNoOtherRankNorProcess) {
  const Rank rank(socket_);
  rank.say("{\"hello\":{\"rank\":4294967297}}\n");
  rank.say("{\"hello\":{\"rank\":1,\"pid\":4294967297}}\n");
  rank.say(R"({"call":{"name":"barrier","number":18446744073709551615,"seconds":2}})");
  rank.say("\n");
  serve();
  ASSERT_EQ(diary_.entries.size(), 3u);
  EXPECT_THAT(diary_.entries[0], HasSubstr("warning"));
  EXPECT_EQ(diary_.entries[1], "+1");
  EXPECT_EQ(diary_.last_home.pid, 0);
  EXPECT_THAT(diary_.entries[2], HasSubstr("warning"));
}

TEST_F(EventServerTest, TheListenersFailureEndsTheCall) {
  const Rank rank(socket_);
  rank.say(kLog + "\n" + kLog + "\n");
  diary_.answer = resource_exhausted("disk full");
  EXPECT_EQ(server_.serve(diary_).code(), Code::kResourceExhausted);
  EXPECT_EQ(diary_.entries.size(), 1u);
}

TEST_F(EventServerTest, StopsAccepting) {
  const Rank before(socket_);
  serve();
  server_.stop_accepting();
  EXPECT_FALSE(Rank(socket_).connected);
  before.say(kLog + "\n");
  serve();
  EXPECT_THAT(diary_.entries, ElementsAre(kLog));
}

TEST_F(EventServerTest, ItsDescriptorsSayWhenThereIsSomething) {
  const auto ready = [&] {
    std::vector<pollfd> polled;
    server_.add_to(polled);
    return poll(polled.data(), polled.size(), 0);
  };
  EXPECT_EQ(ready(), 0);
  const Rank rank(socket_);
  EXPECT_EQ(ready(), 1);
  serve();
  EXPECT_EQ(ready(), 0);
  rank.say(kLog + "\n");
  EXPECT_EQ(ready(), 1);
}

TEST(EventServer, RefusesAPathThatIsTooLong) {
  const auto server = EventServer::listen("/tmp/" + std::string(103, 'x'));
  EXPECT_EQ(server.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(server.status().message(), HasSubstr("108 bytes long; allowed: at most 107"));
}

}  // namespace
}  // namespace prefixmem::agent
