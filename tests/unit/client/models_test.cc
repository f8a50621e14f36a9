// `pmt models`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/sha256.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ModelsTest : public testing::Test {
 protected:
  ModelsTest() {
    pmt.write("gemma/config.json", "{}");
    pmt.write("gemma/model.safetensors", "weights");
    pmt.write("gemma/.cache/left", "over");
  }

  Pmt pmt;
  FakeContentService& content = pmt.service.content;
};

TEST_F(ModelsTest, AddSendsTheFolderAndNamesIt) {
  const Outcome done = pmt.run({"models", "add", "gemma/"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "models://gemma\n");
  EXPECT_EQ(done.err, "pmt: sent 2 files, 293 B\n");
  const std::string list = print_folder_list(
      {{"config.json", 2, sha256_hex("{}")}, {"model.safetensors", 7, sha256_hex("weights")}});
  EXPECT_EQ(content.models["gemma"].content(), to_string({sha256_hex(list), "gemma", true}));
  EXPECT_EQ(content.whole[sha256_hex("weights")], "weights");
  EXPECT_THAT(content.whole, SizeIs(3)) << "hidden files stay here";

  EXPECT_EQ(pmt.run({"models", "add", "gemma", "--name", "again"}).err, "");
  EXPECT_EQ(content.models["again"].content(), content.models["gemma"].content());
}

TEST_F(ModelsTest, AGgufFileIsAModelToo) {
  pmt.write("tiny.gguf", "GGUF");
  EXPECT_EQ(pmt.run({"models", "add", "tiny.gguf", "--name", "tiny"}).out, "models://tiny\n");
  EXPECT_EQ(content.models["tiny"].content(), to_string({sha256_hex("GGUF"), "tiny.gguf"}));
}

TEST_F(ModelsTest, WhatIsNoModelIsRefusedBeforeItIsSent) {
  pmt.write("rows/a.jsonl", "rows");
  const Outcome folder = pmt.run({"models", "add", "rows"});
  EXPECT_EQ(folder.code, exit_code(invalid_argument("")));
  EXPECT_THAT(folder.err, HasSubstr("the folder rows is no model: it has no config.json"));
  EXPECT_THAT(pmt.run({"models", "add", "rows/a.jsonl", "--name", "a"}).err,
              HasSubstr("a.jsonl is no model; allowed: a folder or a .gguf file"));
  EXPECT_THAT(pmt.run({"models", "add", "gemma", "--name", "a/b"}).err,
              HasSubstr("the model's name is \"a/b\"; allowed: "));
  EXPECT_EQ(pmt.run({"models", "add", "none"}).err, "pmt: none is not there\n");
  EXPECT_EQ(pmt.run({"models", "add", "google/gemma"}).err,
            "pmt: google/gemma is not there; of the Hub: pmt models add hf://google/gemma, then "
            "models://gemma\n");
  EXPECT_THAT(content.uploads, IsEmpty());
}

TEST_F(ModelsTest, ListShowAndRemove) {
  v1::Model& model = content.models["gemma"];
  model.set_name("gemma");
  model.set_content("content://x/gemma/");
  model.set_files(1);
  model.set_bytes(2048);
  v1::ModelFile& file = *model.add_file();
  file.set_path("config.json");
  file.set_bytes(2048);
  file.set_sha256("abc");
  EXPECT_THAT(pmt.run({"models", "list"}).out, HasSubstr("gemma"));
  EXPECT_THAT(pmt.run({"models", "list", "-o", "json"}).out, HasSubstr("\"name\": \"gemma\""));
  const Outcome shown = pmt.run({"models", "show", "gemma"});
  EXPECT_THAT(shown.out, HasSubstr("content://x/gemma/\n"));
  EXPECT_THAT(shown.out, HasSubstr("config.json"));
  const Outcome removed = pmt.run({"models", "rm", "gemma"});
  EXPECT_EQ(removed.code, 0);
  EXPECT_EQ(removed.err, "pmt: model gemma is removed; jobs that were submitted with it keep it\n");
  EXPECT_THAT(content.models, IsEmpty());
  EXPECT_EQ(pmt.run({"models", "show", "gemma"}).code, exit_code(not_found("")));
  EXPECT_EQ(pmt.run({"models", "rm", "gemma"}).code, exit_code(not_found("")));
}

}  // namespace
}  // namespace prefixmem::client
