#include "worker/agent/inputs/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "tests/unit/agent/fake_content.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;

class InputsTest : public testing::Test {
 protected:
  const TempFolder folder_;
  FakeContent source_;
  const std::unique_ptr<ContentCache> cache_ = std::move(*ContentCache::open({folder_.path(), 10}));
  const Inputs inputs_{*cache_, source_, {.backoff = {Millis(1), Millis(1), 1, 0}}};
};

TEST_F(InputsTest, PutsLocalPathsInThePlaceOfContent) {
  const auto rows = source_.add("train.csv", "rows");
  const auto local = inputs_.localize(
      "{model: /m, data: {train: \"" + to_string(rows) + "\"}, name: content-a}", {});
  ASSERT_TRUE(local.ok()) << local.status().message();
  const std::string path = (folder_.path() / rows.sha256 / "train.csv").string();
  EXPECT_EQ(local->spec_yaml, "model: /m\ndata:\n  train: " + path + "\nname: content-a\n");
  EXPECT_EQ(local->leases.size(), 1u);
  const Status said = local->in_words_of_spec(
      data_loss(path + " line 3: no label; " + path + " and /m/train.csv are others"));
  EXPECT_EQ(said.code(), Code::kDataLoss);
  EXPECT_EQ(said.message(), "train.csv line 3: no label; train.csv and /m/train.csv are others");
}

TEST_F(InputsTest, HoldsContentAsLongAsItLives) {
  const auto spec = [](const ContentName& name) { return "model: \"" + to_string(name) + "\""; };
  const auto a = source_.add("a", "aaaaaaaa"), b = source_.add("b", "bbbbbbbb");
  {
    const auto held = inputs_.localize(spec(a), {});
    ASSERT_TRUE(held.ok());
    EXPECT_EQ(inputs_.localize(spec(b), {}).status().code(), Code::kResourceExhausted);
  }
  EXPECT_TRUE(inputs_.localize(spec(b), {}).ok());
}

TEST_F(InputsTest, NamesTheKeyOfWhatCannotBeHad) {
  const std::string digest = sha256_hex("not there");
  const Status missing =
      inputs_.localize("data: {eval: \"content://" + digest + "/e.csv\"}", {}).status();
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("data.eval: content://" + digest + "/e.csv: "));
  const Status bad = inputs_.localize("{model: \"content://x\"}", {}).status();
  EXPECT_EQ(bad.code(), Code::kInvalidArgument);
  EXPECT_THAT(bad.message(), HasSubstr("model: \"content://x\" names no content"));
}

TEST_F(InputsTest, WithRootsNothingElseOfTheHostIsOpened) {
  const TempFolder models;
  std::filesystem::create_directory(models.path() / "m");
  const Inputs inputs(*cache_, source_,
                      {.roots = *Roots::parse({"models=" + models.path().string()})});
  const auto local = inputs.localize("model: root://models/m", {});
  ASSERT_TRUE(local.ok()) << local.status().message();
  EXPECT_EQ(local->spec_yaml,
            "model: " + (std::filesystem::canonical(models.path()) / "m").string() + "\n");
  const auto rows = source_.add("t", "rows");
  EXPECT_TRUE(inputs.localize("data: {train: \"" + to_string(rows) + "\"}", {}).ok());
  for (const std::string& path : {(models.path() / "m").string(), std::string("m")}) {
    const Status status = inputs.localize("{model: \"" + path + "\"}", {}).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_EQ(status.message(), "model: \"" + path +
                                    "\" is a path, which this worker does not open; allowed: "
                                    "root://models/…, content://…");
  }
}

TEST_F(InputsTest, IsAtHandOnceItIsFetched) {
  const std::string spec = "data: {train: \"" + to_string(source_.add("t", "rows")) + "\"}";
  EXPECT_FALSE(inputs_.at_hand(spec));
  ASSERT_TRUE(inputs_.localize(spec, {}).ok());
  EXPECT_TRUE(inputs_.at_hand(spec));
  EXPECT_TRUE(inputs_.at_hand("model: /m"));
}

}  // namespace
}  // namespace prefixmem::agent
