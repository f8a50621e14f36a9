// Models of the Hub in a worker's cache.
#include "worker/agent/inputs/hub_origin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "common/files.h"
#include "tests/unit/agent/fake_content.h"
#include "tests/unit/common/fake_hub.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/inputs/inputs.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class HubOriginTest : public testing::Test {
 protected:
  Result<LocalInputs> localize(const std::string& model, const std::stop_token& stop = {}) {
    const Inputs inputs(*cache_, content_, {.hub = hub_.as_seen_by_a_client()});
    return inputs.localize("model: " + model, stop);
  }
  void open(int64_t limit = 1000) {
    cache_.reset();
    cache_ = *ContentCache::open({folder_.path(), limit});
  }
  void SetUp() override { open(); }

  const std::string name_ = "hf://org/tiny@" + std::string(FakeHub::kCommit);
  const TempFolder folder_;
  const std::filesystem::path place_ =
      folder_.path() / (std::string(FakeHub::kCommit) + ".hub") / "tiny";
  FakeHub hub_;
  FakeContent content_;
  std::unique_ptr<ContentCache> cache_;
};

TEST_F(HubOriginTest, IsFetchedOnceHoweverManyWantIt) {
  std::vector<std::thread> jobs;
  for (int i = 0; i < 8; ++i) {
    jobs.emplace_back([&] {
      const auto local = localize(name_);
      ASSERT_TRUE(local.ok()) << local.status().message();
      EXPECT_EQ(local->spec_yaml, "model: " + place_.string() + "\n");
    });
  }
  for (std::thread& job : jobs) job.join();
  EXPECT_EQ(*read_file(place_ / "model.safetensors"), "weights");
  EXPECT_EQ(*read_file(place_ / "config.json"), "{}");
  EXPECT_THAT(hub_.asked(),
              UnorderedElementsAre(FakeHub::kCommit, "config.json", FakeHub::kWeights));
  EXPECT_EQ(cache_->used_bytes(), 9);
  const auto mode = std::filesystem::status(place_ / "model.safetensors").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::owner_write, std::filesystem::perms::none);
}

TEST_F(HubOriginTest, StaysOverARestart) {
  ASSERT_TRUE(localize(name_).ok());
  hub_.forget_requests();
  open();
  ASSERT_TRUE(localize(name_).ok());
  EXPECT_THAT(hub_.asked(), IsEmpty());
}

TEST_F(HubOriginTest, IsAtHandOnceItIsHere) {
  const Inputs inputs(*cache_, content_, {.hub = hub_.as_seen_by_a_client()});
  EXPECT_FALSE(inputs.at_hand("model: " + name_));
  ASSERT_TRUE(localize(name_).ok());
  EXPECT_TRUE(inputs.at_hand("model: " + name_));
}

TEST_F(HubOriginTest, GoesOnWhereItBrokeOff) {
  hub_.broken = 2;
  ASSERT_TRUE(localize(name_).ok());
  EXPECT_EQ(*read_file(place_ / "model.safetensors"), "weights");
  EXPECT_THAT(hub_.asked(), testing::Contains(std::string(FakeHub::kWeights) + " bytes=3-"));
}

TEST_F(HubOriginTest, OtherBytesThanTheHubNamesAreNotKept) {
  hub_.bytes[FakeHub::kWeights] = "weighty";
  const Status status = localize(name_).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(),
              HasSubstr("model: " + name_ + ": " + name_ + ": model.safetensors arrived with"));
  EXPECT_FALSE(exists(place_));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "incoming"));
}

TEST_F(HubOriginTest, AnotherCommitIsRefused) {
  const std::string other(40, 'a');
  EXPECT_EQ(localize("hf://org/tiny@" + other).status().code(), Code::kNotFound);
  hub_.listed.replace(hub_.listed.find(FakeHub::kCommit), 40, other);
  const Status status = localize(name_).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("gives commit " + other + " in its place"));
}

TEST_F(HubOriginTest, MustFitBeforeItsFirstByte) {
  open(8);
  const Status status = localize(name_).status();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("tiny: 9 bytes do not fit"));
  EXPECT_THAT(hub_.asked(), testing::Not(testing::Contains(FakeHub::kWeights)));
}

TEST_F(HubOriginTest, AStopEndsAFetchThatStalls) {
  hub_.stalls = true;
  std::stop_source stop;
  std::thread job(
      [&] { EXPECT_EQ(localize(name_, stop.get_token()).status().code(), Code::kCancelled); });
  while (!exists(folder_.path() / "incoming" / (std::string(FakeHub::kCommit) + ".hub"))) {
    std::this_thread::yield();
  }
  stop.request_stop();
  job.join();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "incoming"));
}

TEST_F(HubOriginTest, OnlyCommitsAndOnlyWhereTheOperatorAllowsIt) {
  EXPECT_THAT(localize("hf://org/tiny").status().message(),
              HasSubstr("model: \"hf://org/tiny\" may mean other weights tomorrow"));
  const Inputs inputs(*cache_, content_);
  const Status refused = inputs.localize("model: " + name_, {}).status();
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("of the Hub, from which this worker does not fetch"));
  EXPECT_THAT(hub_.asked(), IsEmpty());
}

}  // namespace
}  // namespace prefixmem::agent
