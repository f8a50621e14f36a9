// Models of the Hub, against one of our own on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/content/hub_name.h"
#include "common/hub/revision.h"
#include "common/sha256.h"
#include "tests/unit/client/pmt_runner.h"
#include "tests/unit/common/fake_hub.h"

namespace prefixmem::client {
namespace {

using fake_hub::answer;
using fake_hub::large;
using fake_hub::small;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(HubName, HasAnOrganisationANameAndPerhapsARevision) {
  const auto plain = parse_hub_name("hf://google/gemma-3-270m");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->text(), "hf://google/gemma-3-270m@main");
  EXPECT_EQ(plain->organisation() + " " + plain->name(), "google gemma-3-270m");
  EXPECT_EQ(parse_hub_name("hf://a/B.2_x@v1.0")->revision, "v1.0");
  for (const char* bad : {"hf://", "hf://a", "hf://a/", "hf:///b", "hf://a/b/c", "hf://a/b@",
                          "hf://a/b@x/y", "hf://../b", "hf://a/..", "hf://a/b c", "hf://a/b?x"}) {
    EXPECT_THAT(parse_hub_name(bad).status().to_string(),
                HasSubstr("names no model of the Hub; allowed: hf://ORG/NAME"))
        << bad;
  }
}

std::vector<std::string> paths(const std::string& text) {
  std::vector<std::string> paths;
  const auto revision = parse_revision(text);
  for (const HubFile& file : revision->files) paths.push_back(file.path);
  return paths;
}

TEST(HubRevision, TakesWhatTrainingReads) {
  EXPECT_THAT(
      paths(answer(small("README.md"), small("config.json"), small("tokenizer.json"),
                   small("LICENSE.txt"), small("chat_template.jinja"), small("onnx/config.json"),
                   large("model-00001-of-00002.safetensors", "a"), large("pytorch_model.bin", "b"),
                   large("adapter_model.safetensors", "c"), large("model.Q8_0.gguf", "d"))),
      ElementsAre("LICENSE.txt", "chat_template.jinja", "config.json",
                  "model-00001-of-00002.safetensors", "tokenizer.json"));
  EXPECT_THAT(paths(answer(large("model.Q8_0.gguf", "d"))), ElementsAre("model.Q8_0.gguf"));
}

TEST(HubRevision, RefusesWhatIsNoAnswer) {
  for (const std::string& bad :
       {std::string("<html>"), std::string("{}"), answer(json{{"rfilename", "config.json"}}),
        answer(small("config.json", "../../etc")), answer(small("config.json", "", -1)),
        std::string(R"({"sha": "../x", "siblings": []})")}) {
    EXPECT_EQ(parse_revision(bad).status().code(), Code::kDataLoss) << bad;
  }
}

// Has ORG/tiny, whose weights need a token where `token` is not empty.
class HubTest : public testing::Test {
 protected:
  HubTest() { pmt.hub = hub.as_seen_by_a_client(); }

  FakeHub hub;
  Pmt pmt;
};

TEST_F(HubTest, AModelIsFetchedSentAndNamed) {
  const Outcome done = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "models://tiny\n");
  EXPECT_THAT(done.err, HasSubstr("fetching model.safetensors of hf://org/tiny@main, 7 B\n"));
  EXPECT_EQ(pmt.service.content.whole[sha256_hex("weights")], "weights");
  EXPECT_THAT(pmt.service.content.models["tiny"].content(), HasSubstr("/tiny/"));
  hub.forget_requests();
  EXPECT_EQ(pmt.run({"models", "add", "hf://org/tiny@main", "--name", "again"}).code, 0);
  EXPECT_THAT(hub.asked(), ElementsAre("main")) << "the files are here";
}

TEST_F(HubTest, ASpecIsSentWithTheCommitAndTheConfiguration) {
  pmt.write("job.yaml", "name: a\nmodel: hf://org/tiny\ndata: {train: \"content://" +
                            sha256_hex("rows") +
                            "/r.jsonl\"}\nsweep: {grid: {model: [hf://org/tiny@main]}}\n");
  const std::string pinned = "hf://org/tiny@" + std::string(FakeHub::kCommit);
  for (const bool upload : {true, false}) {
    std::vector<std::string> command = {"submit", pmt.path("job.yaml").string()};
    if (!upload) command.emplace_back("--no-upload");
    const Outcome done = pmt.run(command);
    ASSERT_EQ(done.code, 0) << done.err;
    const v1::SubmitJobRequest& sent = pmt.service.submitted.back();
    EXPECT_THAT(sent.yaml(), HasSubstr("model: \"" + pinned + "\"\n"));
    EXPECT_THAT(sent.yaml(), testing::Not(HasSubstr("main")));
    ASSERT_EQ(sent.model_configs_size(), 1);
    EXPECT_EQ(sent.model_configs(0).model(), pinned);
    EXPECT_EQ(sent.model_configs(0).config_json(), "{}");
  }
  EXPECT_THAT(hub.asked(), testing::Not(testing::Contains(FakeHub::kWeights)));
}

TEST_F(HubTest, ACommitNeedsNoHub) {
  pmt.write("job.yaml", "name: a\nmodel: hf://org/tiny@" + std::string(FakeHub::kCommit) + "\n");
  hub.token = "hf_secret";  // config.json is not for this client
  EXPECT_EQ(pmt.run({"submit", pmt.path("job.yaml").string()}).code, 0);
  EXPECT_EQ(pmt.service.submitted.back().model_configs_size(), 0);
  pmt.hub.endpoint = "http://127.0.0.1:1";
  EXPECT_EQ(pmt.run({"submit", pmt.path("job.yaml").string()}).code, 0);
}

TEST_F(HubTest, ASpecThatNamesNoModelOfTheHubIsNotSent) {
  pmt.write("job.yaml", "name: a\nmodel: hf://org/tiny@v9\n");
  const Outcome done = pmt.run({"submit", pmt.path("job.yaml").string()});
  EXPECT_EQ(done.code, exit_code(not_found("")));
  EXPECT_EQ(done.err, "pmt: model: hf://org/tiny@v9: " + pmt.hub.endpoint +
                          " has no such model or revision\n");
  EXPECT_THAT(pmt.service.submitted, IsEmpty());
}

TEST_F(HubTest, AFileThatBreaksOffIsGoneOnWith) {
  hub.broken = 2;
  const Outcome done = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(pmt.service.content.whole[sha256_hex("weights")], "weights");
  EXPECT_THAT(hub.asked(), testing::Contains(std::string(FakeHub::kWeights) + " bytes=3-"));
}

TEST_F(HubTest, WhatIsNoModelIsNotFetched) {
  hub.listed = answer(large("a.Q4_K_M.gguf", "a"), large("b.Q8_0.gguf", "b"), small("config.json"));
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err,
              HasSubstr("it has no safetensors and 2 GGUF files (a.Q4_K_M.gguf, b.Q8_0.gguf); "
                        "allowed: one; fetch the one wanted by hand and add that\n"));
  hub.listed = answer(small("tokenizer.json"));
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err,
              HasSubstr("the folder tiny is no model: it has no config.json"));
  EXPECT_THAT(hub.asked(), ElementsAre("main", "main"));
}

TEST_F(HubTest, OtherBytesThanTheHubNamesAreNotKept) {
  hub.bytes[FakeHub::kWeights] = "weighty";
  const Outcome done = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(done.code, exit_code(data_loss("")));
  EXPECT_THAT(done.err, HasSubstr("pmt: hf://org/tiny@main: model.safetensors arrived with another "
                                  "digest than the Hub names; try again\n"));
  hub.bytes[FakeHub::kWeights] = "weight";
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err,
              HasSubstr("gave 6 bytes; the Hub names 7\n"));
  hub.bytes[FakeHub::kWeights] = "weights";
  hub.bytes["config.json"] = "[]";
  std::filesystem::remove_all(pmt.path("cache/hub"));
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err, HasSubstr("config.json arrived"));
  EXPECT_THAT(pmt.service.content.models, IsEmpty());
}

TEST_F(HubTest, AGatedModelNeedsAToken) {
  hub.token = "hf_secret";
  const Outcome refused = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(refused.code, exit_code(failed_precondition("")));
  EXPECT_THAT(refused.err,
              HasSubstr("does not show it to everybody; allowed: in HF_TOKEN, a token"));
  pmt.hub.token = "hf_other";
  const Outcome other = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_THAT(other.err, HasSubstr("the account of the token that is given"));
  EXPECT_THAT(other.err, testing::Not(HasSubstr("hf_other")));
  pmt.hub.token = hub.token;
  EXPECT_EQ(pmt.run({"models", "add", "hf://org/tiny"}).code, 0);
}

TEST_F(HubTest, WhatIsNotThereIsNamed) {
  const Outcome revision = pmt.run({"models", "add", "hf://org/tiny@v9"});
  EXPECT_EQ(revision.code, exit_code(not_found("")));
  EXPECT_EQ(revision.err,
            "pmt: hf://org/tiny@v9: " + pmt.hub.endpoint + " has no such model or revision\n");
  EXPECT_EQ(pmt.run({"models", "add", "hf://org/none"}).code, exit_code(not_found("")));
  const std::string endpoint = std::exchange(pmt.hub.endpoint, "http://127.0.0.1:1");
  const Outcome away = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(away.code, exit_code(unavailable("")));
  EXPECT_THAT(away.err, HasSubstr("hf://org/tiny@main: http://127.0.0.1:1"));
}

}  // namespace
}  // namespace prefixmem::client
