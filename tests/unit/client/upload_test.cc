// The files that `pmt submit` sends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/sha256.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string name_of(const std::string& bytes, const std::string& name) {
  return to_string({sha256_hex(bytes), name});
}

class UploadTest : public testing::Test {
 protected:
  UploadTest() { pmt.write("train.jsonl", "rows"); }
  Outcome submit(const std::string& spec, std::vector<std::string> more = {}) {
    pmt.write("job.yaml", spec);
    more.insert(more.begin(), {"submit", "job.yaml"});
    return pmt.run(more);
  }
  void write_model(const std::string& folder) const {
    pmt.write(folder + "/config.json", "{}");
    pmt.write(folder + "/model.safetensors", "");
  }
  std::string submitted() { return pmt.service.submitted.back().yaml(); }

  Pmt pmt;
  FakeContentService& content = pmt.service.content;
};

TEST_F(UploadTest, SendsTheFilesThatTheSpecNames) {
  pmt.write("data/test.csv", "other rows");
  const Outcome done = submit("model: root://m\ndata: {train: train.jsonl, eval: data/test.csv}\n");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(submitted(), "model: \"root://m\"\ndata:\n  train: \"" +
                             name_of("rows", "train.jsonl") + "\"\n  eval: \"" +
                             name_of("other rows", "test.csv") + "\"\n");
  EXPECT_EQ(content.whole[sha256_hex("rows")], "rows");
  EXPECT_EQ(content.whole[sha256_hex("other rows")], "other rows");
  EXPECT_EQ(done.err, "pmt: sent 2 files, 14 B\n");
}

TEST_F(UploadTest, WhatTheCoordinatorHasIsNotSentAgain) {
  submit("data: {train: train.jsonl}");
  const Outcome again = submit("data: {train: train.jsonl}");
  EXPECT_EQ(again.err, "");
  EXPECT_THAT(content.uploads, SizeIs(1));
  EXPECT_THAT(submitted(), HasSubstr(name_of("rows", "train.jsonl")));
}

TEST_F(UploadTest, AFileThatIsNamedTwiceIsSentOnce) {
  pmt.write("copy.jsonl", "rows");
  for (const char* folder : {"a", "b"}) write_model(folder);
  const Outcome done = submit(
      "sweep: {grid: {data.train: [train.jsonl, copy.jsonl], model: [a, b]},"
      " trials: [{data.train: train.jsonl}]}");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(content.uploads, SizeIs(1));
  EXPECT_THAT(submitted(), HasSubstr(name_of("rows", "copy.jsonl")));
}

TEST_F(UploadTest, AnAdapterToStartFromIsAFolder) {
  pmt.write("a/adapter_config.json", "{}");
  pmt.write("a/adapter_model.safetensors", "weights");
  const Outcome done = submit("method: {type: lora, init: a/}");
  EXPECT_EQ(done.code, 0) << done.err;
  const std::string list =
      print_folder_list({{"adapter_config.json", 2, sha256_hex("{}")},
                         {"adapter_model.safetensors", 7, sha256_hex("weights")}});
  EXPECT_THAT(submitted(), HasSubstr("init: \"" + to_string({sha256_hex(list), "a", true})));
  EXPECT_EQ(content.whole[sha256_hex(list)], list);
  EXPECT_EQ(content.whole[sha256_hex("weights")], "weights");
}

TEST_F(UploadTest, WhatIsNotHereIsRefused) {
  const Outcome rows = submit("data: {train: away.jsonl}");
  EXPECT_EQ(rows.code, exit_code(not_found("")));
  EXPECT_EQ(rows.err,
            "pmt: data.train: " + pmt.path("away.jsonl").string() +
                " is not on this host; allowed: a path that is, root://NAME/PATH of what the "
                "workers have, or any path with --no-upload\n");
  const Outcome hub = submit("{model: google/gemma-3-270m, data: {train: train.jsonl}}");
  EXPECT_EQ(
      hub.err,
      "pmt: model: " + pmt.path("google/gemma-3-270m").string() +
          " is not on this host; allowed: a path that is, models://NAME after `pmt models add "
          "PATH` or `pmt models add hf://ORG/NAME`, root://NAME/PATH of what the workers have, "
          "or any path with --no-upload\n");
  EXPECT_THAT(content.uploads, IsEmpty());
  EXPECT_THAT(pmt.service.submitted, IsEmpty());
  EXPECT_EQ(submit("data: {train: away.jsonl}", {"--no-upload"}).code, 0);
  EXPECT_THAT(submitted(), HasSubstr("train: " + pmt.path("away.jsonl").string()));
}

TEST_F(UploadTest, AFolderThatIsNoModelIsRefused) {
  pmt.write("m/tokenizer.json", "{}");
  const Outcome done = submit("{model: m, data: {train: train.jsonl}}");
  EXPECT_EQ(done.code, exit_code(invalid_argument("")));
  EXPECT_THAT(done.err, HasSubstr("pmt: model: the folder m is no model: it has no config.json"));
  EXPECT_THAT(content.uploads, IsEmpty());
}

TEST_F(UploadTest, WhatTheCoordinatorWouldRefuseIsNotSent) {
  pmt.service.refuse["CheckJob"] = {grpc::StatusCode::INVALID_ARGUMENT, "train.seed is -1"};
  const Outcome done = submit("{data: {train: train.jsonl}, train: {seed: -1}}");
  EXPECT_EQ(done.code, exit_code(invalid_argument("")));
  EXPECT_EQ(done.err, "pmt: train.seed is -1\n");
  EXPECT_THAT(content.uploads, IsEmpty());
}

TEST_F(UploadTest, AnOlderCoordinatorLooksWhenItIsSubmitted) {
  pmt.service.refuse["CheckJob"] = {grpc::StatusCode::UNIMPLEMENTED, ""};
  EXPECT_EQ(submit("data: {train: train.jsonl}").code, 0);
  EXPECT_THAT(content.uploads, SizeIs(1));
}

TEST_F(UploadTest, ModelsAndNamesWithASchemeAreLeftAsTheyAre) {
  write_model("m");
  submit("{model: m, data: {train: root://data/t.jsonl, eval: content://x}}");
  EXPECT_EQ(submitted(),
            "model: " + pmt.path("m").string() +
                "\ndata:\n  train: \"root://data/t.jsonl\"\n  eval: \"content://x\"\n");
  EXPECT_THAT(content.uploads, IsEmpty());
}

TEST_F(UploadTest, NothingIsSentWhereThatIsAskedFor) {
  submit("data: {train: train.jsonl}", {"--no-upload"});
  EXPECT_THAT(submitted(), HasSubstr("train: " + pmt.path("train.jsonl").string()));
  EXPECT_THAT(content.uploads, IsEmpty());
}

TEST_F(UploadTest, AFileIsSentInChunks) {
  pmt.write("train.jsonl", std::string((size_t{5} << 20) / 2, 'x'));
  EXPECT_EQ(submit("data: {train: train.jsonl}").code, 0);
  EXPECT_EQ(content.largest_chunk, size_t{1} << 20);
  EXPECT_EQ(content.whole.begin()->second.size(), (size_t{5} << 20) / 2);
}

TEST_F(UploadTest, ABrokenUploadGoesOnWhereItStopped) {
  content.breaks = {3, 0, 1};
  const Outcome done = submit("data: {train: train.jsonl}");
  EXPECT_EQ(done.code, 0) << done.err;
  const std::string digest = sha256_hex("rows");
  EXPECT_EQ(content.whole[digest], "rows");
  EXPECT_THAT(content.uploads, ElementsAre(digest + " from 0", digest + " from 3",
                                           digest + " from 3", digest + " from 4"));
}

TEST_F(UploadTest, GoesOnAfterAnEarlierCommandToo) {
  content.unfinished[sha256_hex("rows")] = "ro";
  const Outcome done = submit("data: {train: train.jsonl}");
  EXPECT_THAT(content.uploads, ElementsAre(sha256_hex("rows") + " from 2"));
  EXPECT_EQ(done.err, "pmt: sent 1 file, 2 B\n");
}

TEST_F(UploadTest, WhatTheCoordinatorRefusesIsToldAndNothingIsSubmitted) {
  content.refusal = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the disk is full");
  const Outcome done = submit("data: {train: train.jsonl}");
  EXPECT_EQ(done.code, exit_code(resource_exhausted("")));
  EXPECT_EQ(done.err, "pmt: sending " + pmt.path("train.jsonl").string() + ": the disk is full\n");
  content.refusal = grpc::Status(grpc::StatusCode::DATA_LOSS, "other bytes");
  EXPECT_THAT(submit("data: {train: train.jsonl}").err, HasSubstr("changed meanwhile?"));
  EXPECT_THAT(pmt.service.submitted, IsEmpty());
}

TEST_F(UploadTest, RowsAreNoFolder) {
  pmt.write("rows/a.jsonl", "rows");
  const Outcome done = submit("data: {train: rows}");
  EXPECT_EQ(done.code, exit_code(invalid_argument("")));
  EXPECT_EQ(done.err, "pmt: data.train: it is \"" + pmt.path("rows").string() +
                          "\", a folder; allowed: a file\n");
}

TEST_F(UploadTest, TellsWhatModelsOfThisHostAreMadeOf) {
  write_model("m");
  pmt.write("m/config.json", R"({"model_type": "llama"})");
  write_model("latin1");
  pmt.write("latin1/config.json", "{\"a\": \"\xe9\"}");
  pmt.write("q/one.gguf", "");
  const std::string spec =
      "model: m\ndata: {train: train.jsonl}\nsweep: {grid: {model: [m, q, latin1, "
      "\"models://kept\"]}}";
  EXPECT_EQ(submit(spec).code, 0);
  const auto& told = pmt.service.submitted.back().model_configs();
  ASSERT_EQ(told.size(), 1) << "once, and of what has one";
  EXPECT_EQ(told[0].model(), pmt.path("m").string());
  EXPECT_EQ(told[0].config_json(), R"({"model_type": "llama"})");
  ASSERT_THAT(pmt.service.checked, SizeIs(1));
  EXPECT_EQ(pmt.service.checked[0].model_configs_size(), 1) << "before rows are sent, too";
  EXPECT_EQ(submit(spec, {"--no-upload"}).code, 0);
  EXPECT_EQ(pmt.service.submitted.back().model_configs_size(), 0);
}

}  // namespace
}  // namespace prefixmem::client
