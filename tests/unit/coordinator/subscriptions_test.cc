#include "coordinator/core/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

TEST(Subscriptions, WakesThoseOfTheJob) {
  Subscriptions subscriptions;
  int a = 0;
  int b = 0;
  const auto first = subscriptions.subscribe("a", [&] { ++a; });
  const auto second = subscriptions.subscribe("a", [&] { ++a; });
  const auto other = subscriptions.subscribe("b", [&] { ++b; });
  subscriptions.notify({"a", "c"});
  EXPECT_EQ(a, 2);
  EXPECT_EQ(b, 0);
  subscriptions.notify_all();
  EXPECT_EQ(a, 4);
  EXPECT_EQ(b, 1);
}

TEST(Subscriptions, AHandleThatIsGoneIsNotWoken) {
  Subscriptions subscriptions;
  int woken = 0;
  auto handle = subscriptions.subscribe("a", [&] { ++woken; });
  handle.reset();
  subscriptions.notify({"a"});
  subscriptions.notify_all();
  EXPECT_EQ(woken, 0);
}

TEST(Subscriptions, AHandleTakesItsEntryWithIt) {
  Subscriptions subscriptions;
  auto first = subscriptions.subscribe("a", [] {});
  const auto second = subscriptions.subscribe("a", [] {});
  EXPECT_EQ(subscriptions.size(), 2u);
  first.reset();
  EXPECT_EQ(subscriptions.size(), 1u);
}

TEST(Subscriptions, AHandleMayOutliveThem) {
  auto subscriptions = std::make_unique<Subscriptions>();
  int woken = 0;
  const auto handle = subscriptions->subscribe("a", [&] { ++woken; });
  subscriptions.reset();
  (*handle)();
  EXPECT_EQ(woken, 1);
}

TEST(Subscriptions, AWakeMaySubscribeAndLeave) {
  Subscriptions subscriptions;
  int woken = 0;
  std::shared_ptr<const Subscriptions::Wake> inner;
  std::shared_ptr<const Subscriptions::Wake> outer;
  outer = subscriptions.subscribe("a", [&] {
    outer.reset();
    inner = subscriptions.subscribe("a", [&] { ++woken; });
  });
  subscriptions.notify({"a"});
  EXPECT_EQ(woken, 0);
  subscriptions.notify({"a"});
  EXPECT_EQ(woken, 1);
}

TEST(Subscriptions, ManyThreadsMayComeAndGo) {
  Subscriptions subscriptions;
  std::atomic<int> woken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const auto handle = subscriptions.subscribe("a", [&] { ++woken; });
        subscriptions.notify({"a"});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(woken, 4 * 500);
  const int before = woken;
  subscriptions.notify_all();
  EXPECT_EQ(woken, before);
  EXPECT_EQ(subscriptions.size(), 0u);
}

// Woken means that the news can be read, and that the coordinator can be called.
class WakeTest : public CoordinatorTest {
 protected:
  void follow(const std::string& name) {
    handles_.push_back(coordinator().subscriptions().subscribe(job(name).id(), [this, name] {
      seen_.push_back(history(name).back());
      coordinator().workers();
    }));
  }
  std::vector<std::string> seen_;
  std::vector<std::shared_ptr<const Subscriptions::Wake>> handles_;
};

TEST_F(WakeTest, AChangeWakesOnceItIsDurable) {
  submit("a");
  submit("b");
  follow("a");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(seen_, testing::ElementsAre("3 starting: 1 rank on worker w"));
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
  EXPECT_THAT(seen_, testing::SizeIs(1));
  coordinator().tick();
  EXPECT_THAT(seen_.back(), "5 step 1");
  coordinator().tick();
  EXPECT_THAT(seen_, testing::SizeIs(2));
  ASSERT_TRUE(coordinator().cancel("a").ok());
  EXPECT_THAT(seen_.back(), "6 running: cancel asked for; worker w stops it");
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED").ok());
  EXPECT_THAT(seen_.back(), "7 cancelled: cancelled by a client");
}

TEST_F(WakeTest, AnUploadWakesThoseWhoseEventsItMadeDurable) {
  ASSERT_TRUE(connect("w", 1).ok());
  submit("a");
  follow("a");
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
  ASSERT_TRUE(upload("a/1", 1).ok());
  EXPECT_THAT(seen_, testing::ElementsAre("4 step 1"));
}

}  // namespace
}  // namespace prefixmem
