#include "worker/agent/attempt/attempt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "common/files.h"
#include "tests/unit/agent/agent_world.h"
#include "tests/unit/agent/assigned.h"
#include "worker/agent/attempt/bell.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;

class FakeHost final : public AttemptHost {
 public:
  void changed() override {
    if (throw_next.exchange(false)) throw std::runtime_error("the bell has no clapper");
    bell.ring();
  }
  void stop(const Attempt&, Millis) override { ++stops; }

  Bell bell;
  std::atomic<bool> throw_next = false;
  std::atomic<int> stops = 0;
};

// Stands where the gang's thread and the stream stand.
class AttemptTest : public AgentWorldTest {
 protected:
  void write_result() {
    ASSERT_TRUE(write_file_atomic(attempt_.files().out / "result.json", "{}").ok());
  }
  // The next report; none: not in time.
  std::optional<AttemptReport> next() {
    const MonotonicTime deadline = real_clock().monotonic() + Millis(60000);
    while (real_clock().monotonic() < deadline) {
      if (auto report = attempt_.next_report()) return report;
      host_.bell.wait_until(deadline);
    }
    return std::nullopt;
  }
  // Acknowledges events until the end comes.
  AttemptEnd finish() {
    while (const auto report = next()) {
      if (const auto* end = std::get_if<AttemptEnd>(&report->body)) return *end;
      attempt_.acknowledge_events(last_number(std::get<EventBatch>(report->body)));
    }
    ADD_FAILURE() << "no end in time";
    return {};
  }

  const AttemptWorld world_ = world_with(options_for(""));
  FakeHost host_;
  Attempt attempt_{assigned({"job-a", 1}), world_, host_};
};

TEST_F(AttemptTest, ItsOutputsFollowAGoodEnd) {
  ASSERT_TRUE(attempt_.prepare().ok());
  write_result();
  attempt_.close({}, /*held=*/false);
  EXPECT_TRUE(finish().status.ok());
  EXPECT_THAT(store_.uploads(), ElementsAre("result result.json {}"));
}

TEST_F(AttemptTest, AnEndThatIsHeldIsToldAfterTheRelease) {
  ASSERT_TRUE(attempt_.prepare().ok());
  attempt_.close({internal_error("x"), "tail"}, /*held=*/true);
  EXPECT_TRUE(attempt_.closed());
  EXPECT_FALSE(attempt_.next_report().has_value());
  EXPECT_FALSE(attempt_.finished());
  attempt_.release();
  const AttemptEnd end = finish();
  EXPECT_EQ(end.status.to_string(), "INTERNAL: x");
  EXPECT_EQ(end.stderr_tail, "tail");
  attempt_.acknowledge_end();
  EXPECT_TRUE(attempt_.finished());
}

TEST_F(AttemptTest, TheFirstEndCounts) {
  ASSERT_TRUE(attempt_.prepare().ok());
  attempt_.close({internal_error("first"), ""}, /*held=*/false);
  attempt_.close({internal_error("second"), ""}, /*held=*/true);
  EXPECT_EQ(finish().status.message(), "first");
}

TEST_F(AttemptTest, EndsWithoutAFolderWhereItWasNotPrepared) {
  attempt_.close({invalid_argument("bad"), ""}, /*held=*/false);
  EXPECT_EQ(finish().status.to_string(), "INVALID_ARGUMENT: bad");
}

TEST_F(AttemptTest, ItsOwnersWishIsItsReasonAndNobodysFault) {
  ASSERT_TRUE(attempt_.prepare().ok());
  attempt_.stop(StopKind::kCancel, "the user asked");
  EXPECT_EQ(host_.stops, 1);
  attempt_.close({internal_error("killed"), "", /*shared=*/true}, /*held=*/false);
  const AttemptEnd end = finish();
  EXPECT_EQ(end.status.to_string(), "CANCELLED: the user asked");
  EXPECT_FALSE(end.shared);
}

TEST_F(AttemptTest, AnUploadThatIsRefusedStopsIt) {
  store_.answer({failed_precondition("not current")});
  ASSERT_TRUE(attempt_.prepare().ok());
  ASSERT_TRUE(write_file_atomic(attempt_.files().out / "adapter", "x").ok());
  ASSERT_TRUE(
      attempt_.on_event(ArtifactEvent{ArtifactEvent::Kind::kAdapter, "adapter", 1, 1, 0}).ok());
  ASSERT_TRUE(next().has_value());
  EXPECT_EQ(host_.stops, 1);
  attempt_.close({internal_error("killed"), "", /*shared=*/true}, /*held=*/false);
  attempt_.rewind();
  const AttemptEnd end = finish();
  EXPECT_EQ(end.status.to_string(), "FAILED_PRECONDITION: not current");
  EXPECT_FALSE(end.shared);
}

TEST_F(AttemptTest, WhatItsRelayThrowsIsItsEnd) {
  ASSERT_TRUE(attempt_.prepare().ok());
  host_.throw_next = true;
  ASSERT_TRUE(attempt_.on_event(LogEvent{0, "info", "x"}).ok());
  attempt_.close({internal_error("killed"), ""}, /*held=*/false);
  EXPECT_EQ(finish().status.to_string(), "INTERNAL: the bell has no clapper");
  EXPECT_EQ(host_.stops, 1);
}

}  // namespace
}  // namespace prefixmem::agent
