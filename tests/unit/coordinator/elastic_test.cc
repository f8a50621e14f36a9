// A job that runs on fewer ranks than it wants, and grows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Job "a" of 3 ranks, 1 of which will do, is to run on worker "w" of one slot; no retry is allowed.
class ElasticTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.scheduler.max_retries = 0;
    config_.scheduler.lease = std::chrono::hours(1);
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 1).ok());
    submit("a", "resources: {ranks: 3, min_ranks: 1}");
    ASSERT_EQ(assigned("w"), "1 of a/1");
    ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
    coordinator().tick();
    heard("w");
  }
  // Ranks and attempt of the newest assignment.
  std::string assigned(const std::string& worker) {
    const auto& sent = link(worker)->sent;
    const auto found = std::find_if(sent.rbegin(), sent.rend(),
                                    [](const auto& message) { return message.has_assign(); });
    if (found == sent.rend()) return "";
    const v1::AttemptId& id = found->assign().attempts(0).id();
    EXPECT_EQ(found->assign().attempts(0).spec_yaml().find("min_ranks"), std::string::npos)
        << "older workers do not know it";
    return std::to_string(found->assign().ranks()) + " of a/" + std::to_string(id.attempt());
  }
  // A worker of three slots comes, into which the job grows.
  void grow() {
    ASSERT_TRUE(connect("x", 3).ok());
    pass(config_.scheduler.grow_after);
    ASSERT_THAT(heard("w"), ElementsAre("cancel a/1: grows from 1 rank to 3 ranks"));
    ASSERT_TRUE(upload("a/1", 10).ok());
    ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "asked to stop").ok());
  }
};

TEST_F(ElasticTest, SaysHowManyRanksItHas) { EXPECT_EQ(job("a").ranks(), 1); }

TEST_F(ElasticTest, GrowsOnceItHasRunForAWhile) {
  ASSERT_TRUE(connect("x", 3).ok());
  pass(config_.scheduler.grow_after - Millis(200));
  EXPECT_THAT(heard("w"), IsEmpty());
  pass(Millis(200));
  EXPECT_THAT(heard("w"), ElementsAre("cancel a/1: grows from 1 rank to 3 ranks"));
}

TEST_F(ElasticTest, GoesOnWithMoreRanksAndCountsNoRetry) {
  grow();
  EXPECT_EQ(assigned("x"), "3 of a/2");
  EXPECT_EQ(job("a").ranks(), 3);
  EXPECT_EQ(coordinator().reader().unfinished_jobs()->at(0).retries, 0);
}

TEST_F(ElasticTest, ItsRanksOutliveTheCoordinator) {
  grow();
  restart();
  ASSERT_TRUE(connect("x", 3, {"a/2"}).ok());
  EXPECT_EQ(job("a").ranks(), 3);
  ASSERT_TRUE(connect("w", 1).ok());
  submit("b");
  EXPECT_EQ(state("b"), "starting: 1 rank on worker w") << "the others are taken";
}

TEST_F(ElasticTest, GoesOnWithFewerWhereItsWorkerShutsDown) {
  grow();
  ASSERT_TRUE(heartbeat("x", {"a/2"}, /*draining=*/true).ok());
  ASSERT_TRUE(ended("x", "a/2", "UNAVAILABLE", "worker x is shutting down").ok());
  EXPECT_EQ(assigned("w"), "1 of a/3");
  EXPECT_EQ(job("a").ranks(), 1);
}

}  // namespace
}  // namespace prefixmem
