#include "worker/agent/stream/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>

#include "common/fd.h"
#include "tests/unit/agent/agent_world.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/agent/throwing_log.h"
#include "worker/agent/exporter/metrics_page.h"
#include "worker/agent/stream/channel.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConnectionTest : public AgentWorldTest {
 protected:
  ~ConnectionTest() override {
    disconnect();
    roster_.reset();
  }

  // `script`: what gangs do; `clock` tells the times of beats.
  void connect(const std::string& script = "", const Clock& clock = real_clock()) {
    AttemptOptions options = options_for(script);
    options.cancel_grace = Millis(0);
    roster_ = std::make_unique<Roster>(world_with(std::move(options)));
    const WorkerCard card{"worker-1", "host", "cpu", 4, {"A CPU"}, "127.0.0.1:9", "slurm:7"};
    stream_ = std::thread([this, card, &clock] {
      keep_connected(
          {*dialler_, card, *roster_, metrics_, clock, BackoffPolicy{Millis(1), Millis(5), 2, 0},
           [this] { return std::string(disk_is_full_ ? "its disk is full" : ""); }},
          stop_.get_token());
    });
  }
  void disconnect() {
    stop_.request_stop();
    if (stream_.joinable()) stream_.join();
  }
  void connect_and_welcome(const std::string& script) {
    connect(script);
    coordinator_.next_register();
    coordinator_.welcome();
  }
  static std::vector<std::string> keys(const v1::Register& message) {
    std::vector<std::string> out;
    for (const auto& id : message.attempts()) out.push_back(key_of(id).text());
    return out;
  }
  // Texts of the events from `first` on, acknowledged as they come, up to the text `last`.
  std::vector<std::string> events_until(const std::string& last, int64_t first = 1) {
    std::vector<std::string> texts;
    while ((texts.empty() || texts.back() != last) && !HasFailure()) {
      const auto events = coordinator_.next_events();
      EXPECT_EQ(events.first_number(), first);
      first += events.events_size();
      for (const auto& e : events.events()) texts.push_back(text_of(e.event()));
      coordinator_.acknowledge(kId, first - 1);
    }
    return texts;
  }
  static std::string text_of(const v1::TrainerEvent& event) {
    return event.has_log() ? event.log().message() : event.artifact().path();
  }
  std::string flag_file() const { return (folder_.path() / "go").string(); }

  std::atomic<bool> disk_is_full_ = false;
  std::optional<ThrowingLog> log_;  // outlives everything that logs
  const v1::AttemptId kId = attempt_id("job-a", 1);
  FakeCoordinator coordinator_;
  std::unique_ptr<Dialler> dialler_ = *Dialler::make(coordinator_.address(), {});
  WorkerMetrics metrics_{registry_, "w", 4};
  std::unique_ptr<Roster> roster_;
  std::stop_source stop_;
  std::thread stream_;
};

const char* const kWell = R"(
rank = Rank()
rank.log("hello")
pathlib.Path(flag("--out"), "result.json").write_text("{}")
)";

TEST_F(ConnectionTest, RegistersAndThenBeats) {
  connect();
  const v1::Register message = coordinator_.next_register();
  EXPECT_EQ(message.worker_id(), "worker-1");
  EXPECT_EQ(message.host(), "host");
  EXPECT_EQ(message.slots(), 4);
  EXPECT_EQ(message.device(), "cpu");
  EXPECT_EQ(message.device_names(0), "A CPU");
  EXPECT_EQ(message.metrics_address(), "127.0.0.1:9");
  EXPECT_EQ(message.allocation(), "slurm:7");
  EXPECT_FALSE(message.version().empty());
  EXPECT_EQ(message.attempts_size(), 0);
  coordinator_.welcome();
  for (int i = 0; i < 3; ++i) {
    const auto beat = coordinator_.next([](const auto& m) { return m.has_heartbeat(); });
    EXPECT_GT(beat.heartbeat().time().seconds(), 0);
  }
  EXPECT_THAT(metrics_page(registry_), HasSubstr("prefixmem_agent_connected{worker=\"w\"} 1"));
}

TEST_F(ConnectionTest, CarriesAJobFromAssignmentToItsAcknowledgedEnd) {
  connect_and_welcome(kWell);
  coordinator_.assign(kId);
  EXPECT_THAT(events_until("result.json"), ElementsAre("hello", "result.json"));
  const auto ended = coordinator_.next_ended();
  EXPECT_EQ(key_of(ended.id()).text(), "job-a/1");
  EXPECT_EQ(ended.code(), "OK");
  coordinator_.acknowledge_end(kId);
  EXPECT_TRUE(roster_->wait_until_empty(real_clock().monotonic() + Millis(60000)));
}

TEST_F(ConnectionTest, HeartbeatsNameWhatRuns) {
  connect_and_welcome("Rank(); wait_for_signals()");
  coordinator_.assign(kId);
  const auto beat =
      coordinator_.next([](const auto& m) { return m.heartbeat().running_size() > 0; });
  EXPECT_EQ(key_of(beat.heartbeat().running(0)).text(), "job-a/1");
}

bool beats_or_ends(const v1::WorkerMessage& message) {
  return message.has_heartbeat() || message.has_ended();
}

TEST_F(ConnectionTest, AShutDownIsToldBeforeTheEndsThatItCauses) {
  constexpr double kNoFurtherBeat = 60;
  connect("Rank().log('runs'); wait_for_signals()");
  coordinator_.next_register();
  coordinator_.welcome({}, kNoFurtherBeat);
  EXPECT_FALSE(coordinator_.next(beats_or_ends).heartbeat().draining());
  coordinator_.assign(kId);
  events_until("runs");
  roster_->shut_down("worker-1 is shutting down");
  EXPECT_TRUE(coordinator_.next(beats_or_ends).heartbeat().draining());
  EXPECT_EQ(coordinator_.next(beats_or_ends).ended().code(), "UNAVAILABLE");
}

TEST_F(ConnectionTest, AFullDiskIsToldBeforeTheEndsThatItCausesAndAtTheRegistration) {
  constexpr double kNoFurtherBeat = 60;
  connect("Rank().log('runs'); wait_for('" + flag_file() + "'); sys.exit(15)");
  EXPECT_EQ(coordinator_.next_register().unhealthy(), "");
  coordinator_.welcome({}, kNoFurtherBeat);
  EXPECT_EQ(coordinator_.next(beats_or_ends).heartbeat().unhealthy(), "");
  coordinator_.assign(kId);
  events_until("runs");
  disk_is_full_ = true;
  ASSERT_TRUE(write_file_atomic(flag_file(), "").ok());
  EXPECT_EQ(coordinator_.next(beats_or_ends).heartbeat().unhealthy(), "its disk is full");
  EXPECT_EQ(coordinator_.next(beats_or_ends).ended().code(), "RESOURCE_EXHAUSTED");
  coordinator_.hang_up();
  EXPECT_EQ(coordinator_.next_register().unhealthy(), "its disk is full");
}

TEST_F(ConnectionTest, AWorkerThatShutsDownSaysSoInEveryBeatAndRefusesAttempts) {
  connect_and_welcome("");
  roster_->shut_down("worker-1 is shutting down");
  coordinator_.next([](const auto& m) { return m.heartbeat().draining(); });
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(coordinator_.next(beats_or_ends).heartbeat().draining());
  coordinator_.hang_up();
  coordinator_.next_register();
  coordinator_.welcome();
  EXPECT_TRUE(coordinator_.next(beats_or_ends).heartbeat().draining());
  coordinator_.assign(kId);
  const auto ended = coordinator_.next_ended();
  EXPECT_EQ(ended.code() + ": " + ended.message(), "UNAVAILABLE: worker-1 is shutting down");
}

TEST_F(ConnectionTest, AWorkerThatLeavesSaysSoAndClosesTheStream) {
  constexpr double kNoFurtherBeat = 60;
  connect();
  coordinator_.next_register();
  coordinator_.welcome({}, kNoFurtherBeat);
  EXPECT_FALSE(coordinator_.next(beats_or_ends).heartbeat().draining());
  roster_->shut_down("worker-1 is shutting down");
  disconnect();
  EXPECT_TRUE(coordinator_.next(beats_or_ends).heartbeat().draining());
  EXPECT_EQ(coordinator_.closed_streams(), 1) << "not broken off";
}

TEST_F(ConnectionTest, ACoordinatorThatStandsStillDoesNotKeepItFromLeaving) {
  connect_and_welcome("");
  coordinator_.next(beats_or_ends);
  coordinator_.stand_still(true);
  disconnect();
  EXPECT_EQ(coordinator_.closed_streams(), 0);
  coordinator_.stand_still(false);
}

TEST_F(ConnectionTest, PassesACancelOn) {
  connect_and_welcome("Rank().log('runs'); wait_for_signals()");
  coordinator_.assign(kId);
  events_until("runs");
  v1::CoordinatorMessage cancel;
  *cancel.mutable_cancel()->mutable_id() = kId;
  cancel.mutable_cancel()->set_reason("the user asked");
  coordinator_.send(cancel);
  const auto ended = coordinator_.next_ended();
  EXPECT_EQ(ended.code() + ": " + ended.message(), "CANCELLED: the user asked");
}

TEST(Messages, ACancelMayGiveTime) {
  v1::Cancel cancel;
  EXPECT_FALSE(grace_of(cancel).has_value()) << "the worker's own time";
  cancel.set_grace_seconds(-1);
  EXPECT_FALSE(grace_of(cancel).has_value());
  cancel.set_grace_seconds(2.5);
  EXPECT_EQ(grace_of(cancel), Millis(2500));
  cancel.set_grace_seconds(1e300);
  EXPECT_EQ(grace_of(cancel), std::chrono::hours(1));
}

TEST_F(ConnectionTest, AFailureTravelsWithTheTailOfStderr) {
  connect_and_welcome("Rank(); say('weights are cut short'); sys.exit(14)");
  coordinator_.assign(kId);
  const auto ended = coordinator_.next_ended();
  EXPECT_EQ(ended.code(), "DATA_LOSS");
  EXPECT_EQ(ended.stderr_tail(), "weights are cut short\n");
}

TEST_F(ConnectionTest, ABrokenStreamIsDialledAgainAndTheUnacknowledgedToldAgain) {
  connect_and_welcome("rank = Rank()\nfor i in range(3): rank.log(i)\nwait_for_signals()");
  coordinator_.assign(kId);
  int received = 0;
  while (received < 3 && !HasFailure()) received += coordinator_.next_events().events_size();
  coordinator_.acknowledge(kId, 1);
  coordinator_.hang_up();
  EXPECT_THAT(keys(coordinator_.next_register()), ElementsAre("job-a/1"));
  coordinator_.welcome();
  EXPECT_THAT(events_until("2", 2), ElementsAre("1", "2"));
  EXPECT_THAT(metrics_page(registry_), HasSubstr("prefixmem_agent_reconnects_total"));
}

TEST_F(ConnectionTest, AGangOutlivesACoordinatorThatIsAway) {
  connect_and_welcome("rank = Rank()\nrank.log('before')\nwait_for('" + flag_file() +
                      "')\nrank.log('while away')\n"
                      "pathlib.Path(flag('--out'), 'result.json').write_text('{}')");
  coordinator_.assign(kId);
  events_until("before");
  coordinator_.stop();
  ASSERT_TRUE(write_file_atomic(flag_file(), "").ok());
  while (roster_->used_slots() > 0) std::this_thread::yield();
  coordinator_.start();
  EXPECT_THAT(keys(coordinator_.next_register()), ElementsAre("job-a/1"));
  coordinator_.welcome();
  EXPECT_THAT(events_until("result.json", 2), ElementsAre("while away", "result.json"));
  EXPECT_EQ(coordinator_.next_ended().code(), "OK");
}

TEST_F(ConnectionTest, WhatIsStaleAtTheRegistrationIsKilled) {
  connect_and_welcome("Rank().log('runs'); wait_for_signals()");
  coordinator_.assign(kId);
  events_until("runs");
  coordinator_.hang_up();
  coordinator_.next_register();
  coordinator_.welcome({kId});
  EXPECT_TRUE(roster_->wait_until_empty(real_clock().monotonic() + Millis(60000)));
  coordinator_.hang_up();
  EXPECT_EQ(coordinator_.next_register().attempts_size(), 0);
}

TEST_F(ConnectionTest, WhatTheReaderThrowsBreaksTheStream) {
  log_.emplace("starts with 2 ranks");
  connect_and_welcome(kWell);
  coordinator_.assign(kId);
  coordinator_.next_register();
  coordinator_.welcome();
  coordinator_.assign(kId);
  EXPECT_THAT(events_until("result.json"), ElementsAre("hello", "result.json"));
}

TEST_F(ConnectionTest, WhatTheWriterThrowsBreaksTheStream) {
  class Broken final : public Clock {
   public:
    WallTime wall() const override {
      if (!thrown_.exchange(true)) throw std::runtime_error("the clock has no hands");
      return real_clock().wall();
    }
    MonotonicTime monotonic() const override { return real_clock().monotonic(); }

   private:
    mutable std::atomic<bool> thrown_ = false;
  } broken;
  connect("", broken);
  coordinator_.next_register();
  coordinator_.welcome();
  coordinator_.next_register();
  coordinator_.welcome();
  coordinator_.next([](const auto& m) { return m.has_heartbeat(); });
  disconnect();
}

TEST_F(ConnectionTest, LeavesWhileItDialsOneThatNeverAnswers) {
  const Fd silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = {htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(silent.get(), plain, size), 0);
  ASSERT_EQ(listen(silent.get(), 1), 0);
  ASSERT_EQ(getsockname(silent.get(), plain, &size), 0);
  dialler_ = *Dialler::make("127.0.0.1:" + std::to_string(ntohs(address.sin_port)), {});
  connect();
  const Fd dialled(accept(silent.get(), nullptr, nullptr));
  ASSERT_TRUE(dialled.valid());
  const MonotonicTime before = real_clock().monotonic();
  disconnect();
  EXPECT_LT(real_clock().monotonic() - before, Millis(5000)) << "a dial may take twice as long";
}

TEST_F(ConnectionTest, WaitsForACoordinatorThatIsNotThereYet) {
  coordinator_.stop();
  connect();
  coordinator_.start();
  EXPECT_EQ(coordinator_.next_register().worker_id(), "worker-1");
}

}  // namespace
}  // namespace prefixmem::agent
