// Models of the Hub in a worker's cache.
#include "worker/agent/inputs/hub_origin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
  EXPECT_EQ(*cache_->used_bytes(), 9);
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

TEST_F(HubOriginTest, WaitsForAHubThatBreaksOffAgainAndAgain) {
  hub_.broken = 12;  // more often than one fetch tries
  ASSERT_TRUE(localize(name_).ok());
  EXPECT_EQ(*read_file(place_ / "model.safetensors"), "weights");
}

TEST_F(HubOriginTest, TheTokenIsForTheHubAlone) {
  FakeHub elsewhere;
  hub_.token = "hf_secret";
  hub_.leads_to = elsewhere.as_seen_by_a_client().endpoint;
  Hub hub = hub_.as_seen_by_a_client();
  hub.token = hub_.token;
  const Inputs inputs(*cache_, content_, {.hub = hub});
  EXPECT_EQ(inputs.localize("model: " + name_, {}).status().message(), "");
  EXPECT_EQ(hub_.shown(), "Bearer hf_secret");
  EXPECT_THAT(elsewhere.asked(), testing::ElementsAre(FakeHub::kWeights));
  EXPECT_EQ(elsewhere.shown(), "");
  hub.token = "hf_other";
  open();
  std::filesystem::remove_all(place_.parent_path());
  const Inputs others(*cache_, content_, {.hub = hub});
  const Status refused = others.localize("model: " + name_, {}).status();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), testing::Not(HasSubstr("hf_")));
}

TEST_F(HubOriginTest, JobsOfAnotherAccountMayReadIt) {
  ASSERT_TRUE(localize(name_).ok());
  using std::filesystem::perms;
  const auto mode = [](const auto& path) { return std::filesystem::status(path).permissions(); };
  EXPECT_NE(mode(place_ / "model.safetensors") & perms::others_read, perms::none);
  for (const auto& folder : {place_, place_.parent_path()}) {
    EXPECT_NE(mode(folder) & perms::others_exec, perms::none) << folder;
  }
}

TEST_F(HubOriginTest, MoreBytesThanTheHubNamesAreNotTaken) {
  hub_.bytes[FakeHub::kWeights] = "weights and more";
  const Status status = localize(name_).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("gives more bytes than the Hub names, 7"));
}

TEST_F(HubOriginTest, OtherBytesThanTheHubNamesAreNotKept) {
  hub_.bytes[FakeHub::kWeights] = "weighty";
  const Status status = localize(name_).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("model: " + name_ + ": model.safetensors arrived with"));
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
  const auto asked_for_weights = [&] {
    const auto asked = hub_.asked();
    return std::find(asked.begin(), asked.end(), FakeHub::kWeights) != asked.end();
  };
  while (!asked_for_weights()) std::this_thread::yield();
  stop.request_stop();
  job.join();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "incoming"));
}

TEST(HubOfOperator, IsAUrlWithoutAUser) {
  EXPECT_EQ(hub_of_operator("https://hub.example:8443/hf/")->endpoint,
            "https://hub.example:8443/hf");
  for (const char* bad : {"", "huggingface.co", "https://", "file:///etc", "https://u:p@hub"}) {
    const Status status = hub_of_operator(bad).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << bad;
    EXPECT_THAT(status.message(), testing::Not(HasSubstr("u:p"))) << bad;
  }
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

TEST_F(HubOriginTest, OnlyWhatTheOperatorAllowsEvenWhereItIsAtHand) {
  ASSERT_TRUE(localize(name_).ok());
  const size_t asked = hub_.asked().size();
  const auto with = [&](const std::vector<std::string>& allowed) {
    const Inputs inputs(
        *cache_, content_,
        {.hub = hub_.as_seen_by_a_client(), .allowed = *HubAllowance::parse(allowed)});
    return inputs.localize("model: " + name_, {}).status();
  };
  EXPECT_TRUE(with({"other", "org"}).ok());
  EXPECT_TRUE(with({"org/tiny"}).ok());
  EXPECT_EQ(with({"other", "org/tin"}).to_string(),
            "INVALID_ARGUMENT: model: \"" + name_ +
                "\" is not of what this worker fetches from the Hub; allowed: other, org/tin");
  EXPECT_EQ(hub_.asked().size(), asked);
}

TEST(HubAllowanceTest, NamesAreChecked) {
  EXPECT_TRUE(HubAllowance::parse({"Qwen", "google/gemma-3-270m"}).ok());
  for (const char* bad : {"", "a/b/c", "hf://org", "org/", "/name", "org/name@main", "org*"}) {
    EXPECT_EQ(
        HubAllowance::parse({bad}).status().to_string(),
        "INVALID_ARGUMENT: --hub-allow is \"" + std::string(bad) + "\"; allowed: ORG or ORG/NAME");
  }
}

}  // namespace
}  // namespace prefixmem::agent
