#include "coordinator/rpc/pull_stream.h"

#include <gtest/gtest.h>

#include <future>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem::rpc {
namespace {

// Has nothing to say and counts how often it is asked.
class SilentSource final : public Source<v1::JobEvent> {
 public:
  explicit SilentSource(std::atomic<int>& pulls) : pulls_(pulls) {}
  Result<Pulled<v1::JobEvent>> pull() override {
    ++pulls_;
    return Pulled<v1::JobEvent>{};
  }

 private:
  std::atomic<int>& pulls_;
};

// Has something to say whenever it is asked.
class TalkingSource final : public Source<v1::JobEvent> {
 public:
  explicit TalkingSource(std::atomic<int>& pulls) : pulls_(pulls) {}
  Result<Pulled<v1::JobEvent>> pull() override {
    ++pulls_;
    return Pulled<v1::JobEvent>{.message = v1::JobEvent()};
  }

 private:
  std::atomic<int>& pulls_;
};

class PullStreamTest : public testing::Test {
 protected:
  using Stream = PullStream<v1::JobEvent>;

  void TearDown() override { end(stream_); }
  // As gRPC does when a call is over.
  static void end(std::shared_ptr<Stream>& stream) {
    if (!stream) return;
    grpc::internal::ServerReactor& reactor = *stream;
    reactor.OnDone();
    stream.reset();
  }
  // As gRPC does when a message is on its way.
  static void end_write(Stream& stream) {
    grpc::ServerWriteReactor<v1::JobEvent>& reactor = stream;
    reactor.OnWriteDone(true);
  }

  std::atomic<int> pulls_ = 0;
  std::shared_ptr<Stream> stream_ = Stream::make(std::make_unique<SilentSource>(pulls_));
};

TEST_F(PullStreamTest, ManyWakesWhileTheQueueIsBusyAreOne) {
  std::promise<void> gate;
  {
    WorkQueue queue(1);
    queue.post([&] { gate.get_future().wait(); });
    for (int i = 0; i < 100; ++i) stream_->wake_on(queue);
    gate.set_value();
  }
  EXPECT_EQ(pulls_, 1);
}

TEST_F(PullStreamTest, AWakeAfterAPullIsAnother) {
  for (int i = 1; i <= 3; ++i) {
    {
      WorkQueue queue(1);
      stream_->wake_on(queue);
    }
    EXPECT_EQ(pulls_, i);
  }
}

TEST_F(PullStreamTest, AQueuedWakeDoesNotKeepAnEndedStream) {
  std::promise<void> gate;
  {
    WorkQueue queue(1);
    queue.post([&] { gate.get_future().wait(); });
    stream_->wake_on(queue);
    end(stream_);
    gate.set_value();
  }
  EXPECT_EQ(pulls_, 0);
}

TEST_F(PullStreamTest, OneThatMayWaitIsPulledOnTheQueueAlone) {
  std::promise<void> gate;
  {
    WorkQueue queue(1);
    queue.post([&] { gate.get_future().wait(); });
    stream_->begin_on(queue);
    stream_->wake();
    EXPECT_EQ(pulls_, 0);
    gate.set_value();
  }
  EXPECT_GE(pulls_, 1);
}

// No call is bound to these, so a write ends only when the test says so.
TEST_F(PullStreamTest, OneWhoseWriteIsBlockedIsNotPulledAndHoldsUpNoOther) {
  std::atomic<int> blocked_pulls = 0, pulls = 0;
  auto blocked = Stream::make(std::make_unique<TalkingSource>(blocked_pulls));
  auto other = Stream::make(std::make_unique<TalkingSource>(pulls));
  blocked->begin();
  other->begin();
  {
    WorkQueue queue(1);
    for (int i = 0; i < 100; ++i) {
      blocked->wake_on(queue);
      other->wake_on(queue);
      end_write(*other);
    }
  }
  EXPECT_EQ(blocked_pulls, 1);
  EXPECT_EQ(pulls, 101);
  end_write(*blocked);
  EXPECT_EQ(blocked_pulls, 2) << "it goes on where it was";
  end(blocked);
  end(other);
}

}  // namespace
}  // namespace prefixmem::rpc
