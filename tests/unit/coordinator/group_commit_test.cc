// Calls that come while a transaction is being written are written together by the next, and
// answered only then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "coordinator/core/commit_turns.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;

// Holds up whoever tells the worker something, who has just committed and lets nobody else commit.
class SlowLink final : public WorkerLink {
 public:
  void send(v1::CoordinatorMessage message) override {
    if (!message.has_assign()) return;
    reached_.set_value();
    released_.get_future().wait();
  }
  void close(const Status&) override {}

  void wait() { reached_.get_future().wait(); }
  void release() { released_.set_value(); }

 private:
  std::promise<void> reached_, released_;
};

class GroupCommitTest : public CoordinatorTest {
 protected:
  using Answer = std::future<Result<v1::SubmitJobResponse>>;

  // Job "first" starts on a worker whose link holds up the commits that follow.
  void SetUp() override {
    CoordinatorTest::SetUp();
    v1::Register request;
    request.set_worker_id("w");
    request.set_slots(1);
    request.set_device("cpu");
    ASSERT_TRUE(coordinator().connect(request, link_).ok());
    first_ = submit_meanwhile("first");
    link_->wait();
  }

  Answer submit_meanwhile(const std::string& name, const std::string& key = "") {
    return std::async(std::launch::async,
                      [this, name, key] { return coordinator().submit(spec(name), key); });
  }

  // Until memory holds so many jobs.
  void wait_for_jobs(size_t count) {
    for (size_t jobs = 0; jobs < count;) {
      coordinator().inspect([&](const Live& live) { jobs = live.jobs.size(); });
      std::this_thread::yield();
    }
  }

  int64_t commits() {
    const std::string text = metrics_.text({});
    const std::string name = "prefixmem_store_commit_seconds_count ";
    const size_t at = text.find(name);
    EXPECT_NE(at, std::string::npos);
    return std::stoll(text.substr(at + name.size()));
  }

  std::shared_ptr<SlowLink> link_ = std::make_shared<SlowLink>();
  Answer first_;
};

TEST_F(GroupCommitTest, WhatComesMeanwhileIsOneTransaction) {
  const int64_t before = commits();
  std::vector<Answer> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(submit_meanwhile("job-" + std::to_string(i)));
  wait_for_jobs(9);
  EXPECT_EQ(coordinator().reader().list({}, 100)->jobs.size(), 1u) << "the others are not durable";
  link_->release();
  for (Answer& answer : answers) {
    const auto response = answer.get();
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response->jobs(0).reason().substr(0, 5), "waits");
  }
  EXPECT_TRUE(first_.get().ok());
  EXPECT_EQ(commits(), before + 1);
  EXPECT_EQ(coordinator().reader().list({}, 100)->jobs.size(), 9u);
}

TEST_F(GroupCommitTest, AKeyCountsBeforeItsJobIsDurable) {
  Answer one = submit_meanwhile("twin", "key");
  wait_for_jobs(2);
  Answer other = submit_meanwhile("twin", "key");
  Answer another = submit_meanwhile("another", "key");
  link_->release();
  const auto a = one.get();
  const auto b = other.get();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->jobs(0).id(), b->jobs(0).id());
  const auto refused = another.get();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("was used for another spec"));
  EXPECT_TRUE(first_.get().ok());
  EXPECT_EQ(coordinator().reader().list({}, 100)->jobs.size(), 2u);
}

TEST_F(GroupCommitTest, AFailedWriteIsToldToAllThatItWasFor) {
  auto other = store::Database::open(database());
  ASSERT_TRUE(other.ok());
  std::vector<Answer> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(submit_meanwhile("job-" + std::to_string(i)));
  wait_for_jobs(4);
  ASSERT_TRUE(other
                  ->execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN"
                            " SELECT RAISE(ABORT, 'disk is full'); END")
                  .ok());
  link_->release();
  for (Answer& answer : answers) {
    const auto response = answer.get();
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.status().to_string(),
              "UNAVAILABLE: the store does not take a write: store " + database().string() +
                  ": disk is full");
  }
  EXPECT_TRUE(first_.get().ok()) << "it was durable";
  EXPECT_EQ(store_failures_.size(), 1u);
  EXPECT_EQ(coordinator().reader().list({}, 100)->jobs.size(), 1u);
}

class CommitTurnsTest : public testing::Test {
 protected:
  // Whether it gets a turn, which it gives back at once.
  std::future<bool> ask_for(int64_t batch) {
    return std::async(std::launch::async, [this, batch] {
      const auto turn = turns_.take(batch);
      if (turn) turns_.wrote(batch);
      return turn.has_value();
    });
  }
  CommitTurns turns_;
};

TEST_F(CommitTurnsTest, WhatAnotherHasWrittenNeedsNoTurn) {
  auto turn = turns_.take(1);
  ASSERT_TRUE(turn);
  auto waits = ask_for(1);
  turns_.wrote(1);
  EXPECT_FALSE(waits.get()) << "and that before the turn has ended";
  turn.reset();
  EXPECT_FALSE(turns_.take(1));
}

TEST_F(CommitTurnsTest, OneWhoseBatchIsNotWrittenTakesTheNext) {
  auto turn = turns_.take(1);
  auto waits = ask_for(1);
  turn.reset();  // nothing was written
  EXPECT_TRUE(waits.get());
}

TEST_F(CommitTurnsTest, OfAllWhoWaitOneWritesForAll) {
  auto turn = turns_.take(1);
  std::vector<std::future<bool>> waiting;
  for (int i = 0; i < 8; ++i) waiting.push_back(ask_for(2));
  turns_.wrote(1);
  turn.reset();
  int written = 0;
  for (auto& one : waiting) written += one.get() ? 1 : 0;
  EXPECT_EQ(written, 1);
}

}  // namespace
}  // namespace prefixmem
