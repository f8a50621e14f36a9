// Models of the Hub, against one of our own on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "client/hub/hub_name.h"
#include "client/hub/revision.h"
#include "common/files.h"
#include "common/http/http_server.h"
#include "common/sha256.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
// As `git hash-object` names it.
constexpr const char* kBlobOfConfig = "9e26dfeeb6e641a33dae4961196235bdb965b21b";  // "{}"

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

json small(const std::string& path, const std::string& blob = kBlobOfConfig, int bytes = 2) {
  return {{"rfilename", path}, {"blobId", blob}, {"size", bytes}};
}
json large(const std::string& path, const std::string& bytes) {
  return {{"rfilename", path},
          {"blobId", kBlobOfConfig},
          {"size", bytes.size()},
          {"lfs", {{"sha256", sha256_hex(bytes)}, {"size", bytes.size()}}}};
}
template <class... File>
std::string answer(const File&... file) {
  json files = json::array();
  (files.push_back(file), ...);
  return json{{"sha", kCommit}, {"siblings", files}}.dump();
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
  HubTest() {
    const auto listed = [this](const HttpRequest& request) -> Result<HttpServer::Answer> {
      note(request);
      if (request.parts.at(0) != "main") return not_found("no such revision");
      return HttpServer::Answer(Page{listed_, "application/json"});
    };
    const auto file = [this](const HttpRequest& request) { return give(request); };
    auto server = HttpServer::start({"127.0.0.1", 0},
                                    {{"/api/models/org/tiny/revision/([^/]*)", listed},
                                     {"/org/tiny/resolve/" + std::string(kCommit) + "/(.*)", file}},
                                    {.most_streams = 4});
    server_ = *std::move(server);
    pmt.hub.endpoint = "http://" + server_->address();
    pmt.hub.folder = pmt.path("hub");
    pmt.hub.pauses = {Millis(1), Millis(1), 1, 0};
  }

  Result<HttpServer::Answer> give(const HttpRequest& request) {
    note(request);
    const std::string& path = request.parts.at(0);
    if (!token_.empty() && request.header("authorization") != "Bearer " + token_) {
      return HttpServer::Answer(Page{"gated", kPlainText, 401});
    }
    const std::lock_guard lock(mutex_);
    const std::string& bytes = bytes_.at(path);
    if (broken_ > 0 && path == kWeights) {
      --broken_;
      auto half = std::make_shared<bool>(false);
      return HttpServer::Answer(HttpStream{"application/octet-stream", "",
                                           [half, bytes]() -> Result<std::optional<std::string>> {
                                             if (std::exchange(*half, true))
                                               return unavailable("the test broke it");
                                             return std::optional(bytes.substr(0, 3));
                                           }});
    }
    return HttpServer::Answer(Page{bytes, "application/octet-stream"});
  }

  void note(const HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::string range = request.header("range");
    asked_.push_back(request.parts.at(0) + (range.empty() ? "" : " " + range));
  }

  static constexpr const char* kWeights = "model.safetensors";
  std::map<std::string, std::string> bytes_ = {{"config.json", "{}"}, {kWeights, "weights"}};
  std::string listed_ = answer(small("config.json"), large(kWeights, "weights"));
  std::string token_;
  int broken_ = 0;
  std::mutex mutex_;
  std::vector<std::string> asked_;
  Pmt pmt;
  std::unique_ptr<HttpServer> server_;  // last: its threads use the others
};

TEST_F(HubTest, AModelIsFetchedSentAndNamed) {
  const Outcome done = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "models://tiny\n");
  EXPECT_THAT(done.err, HasSubstr("fetching model.safetensors of hf://org/tiny@main, 7 B\n"));
  EXPECT_EQ(pmt.service.content.whole[sha256_hex("weights")], "weights");
  EXPECT_THAT(pmt.service.content.models["tiny"].content(), HasSubstr("/tiny/"));
  asked_.clear();
  EXPECT_EQ(pmt.run({"models", "add", "hf://org/tiny@main", "--name", "again"}).code, 0);
  EXPECT_THAT(asked_, ElementsAre("main")) << "the files are here";
}

TEST_F(HubTest, AFileThatBreaksOffIsGoneOnWith) {
  broken_ = 2;
  const Outcome done = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(pmt.service.content.whole[sha256_hex("weights")], "weights");
  EXPECT_THAT(asked_, testing::Contains(std::string(kWeights) + " bytes=3-"));
}

TEST_F(HubTest, WhatIsNoModelIsNotFetched) {
  listed_ = answer(large("a.Q4_K_M.gguf", "a"), large("b.Q8_0.gguf", "b"), small("config.json"));
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err,
              HasSubstr("it has no safetensors and 2 GGUF files (a.Q4_K_M.gguf, b.Q8_0.gguf); "
                        "allowed: one; fetch the one wanted by hand and add that\n"));
  listed_ = answer(small("tokenizer.json"));
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err,
              HasSubstr("the folder tiny is no model: it has no config.json"));
  EXPECT_THAT(asked_, ElementsAre("main", "main"));
}

TEST_F(HubTest, OtherBytesThanTheHubNamesAreNotKept) {
  bytes_[kWeights] = "weighty";
  const Outcome done = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(done.code, exit_code(data_loss("")));
  EXPECT_THAT(done.err, HasSubstr("pmt: hf://org/tiny@main: model.safetensors arrived with another "
                                  "digest than the Hub names; try again\n"));
  bytes_[kWeights] = "weight";
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err,
              HasSubstr("gave 6 bytes; the Hub names 7\n"));
  bytes_[kWeights] = "weights";
  bytes_["config.json"] = "[]";
  std::filesystem::remove_all(pmt.path("hub"));
  EXPECT_THAT(pmt.run({"models", "add", "hf://org/tiny"}).err, HasSubstr("config.json arrived"));
  EXPECT_THAT(pmt.service.content.models, IsEmpty());
}

TEST_F(HubTest, AGatedModelNeedsAToken) {
  token_ = "hf_secret";
  const Outcome refused = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_EQ(refused.code, exit_code(failed_precondition("")));
  EXPECT_THAT(refused.err,
              HasSubstr("does not show it to everybody; allowed: in HF_TOKEN, a token"));
  pmt.hub.token = "hf_other";
  const Outcome other = pmt.run({"models", "add", "hf://org/tiny"});
  EXPECT_THAT(other.err, HasSubstr("the account of the token that is given"));
  EXPECT_THAT(other.err, testing::Not(HasSubstr("hf_other")));
  pmt.hub.token = token_;
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
