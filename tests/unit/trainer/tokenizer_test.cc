#include "worker/trainer/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kChatTemplate =
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}> {{ m.content | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

json added_token(int id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

// Words between blanks; <s> in front.
json word_tokenizer() {
  const json vocabulary = {{"<unk>", 0}, {"<s>", 1},  {"</s>", 2},
                           {"card", 3},  {"lost", 4}, {"é", 5}};
  const json bos = {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}};
  const json front = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", {added_token(0, "<unk>"), added_token(1, "<s>"), added_token(2, "</s>")}},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {front, text}},
        {"pair", {text, text}},
        {"special_tokens", {{"<s>", bos}}}}},
      {"decoder", nullptr},
      {"model", {{"type", "WordLevel"}, {"vocab", vocabulary}, {"unk_token", "<unk>"}}}};
}

// A model folder; each test changes one thing of it.
class TokenizerTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    const Status status = write_file_atomic(folder_.path() / name, text);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void write_all() {
    write("tokenizer.json", tokenizer_.dump());
    write("tokenizer_config.json", config_.dump());
  }
  Result<std::unique_ptr<Tokenizer>> load() { return Tokenizer::load(folder_.path()); }
  std::unique_ptr<Tokenizer> loaded() {
    write_all();
    auto tokenizer = load();
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().to_string();
    return std::move(tokenizer).value();
  }
  void expect_refused(Code code, const std::string& reason) {
    const Status status = load().status();
    EXPECT_EQ(code_name(status.code()), code_name(code)) << status.to_string();
    EXPECT_THAT(status.message(), HasSubstr(reason));
    EXPECT_THAT(status.message(), HasSubstr(folder_.path().string()));
  }

  TempFolder folder_;
  json tokenizer_ = word_tokenizer();
  json config_ = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"chat_template", kChatTemplate}};
};

TEST_F(TokenizerTest, EncodesWithAndWithoutSpecialTokens) {
  const auto tokenizer = loaded();
  EXPECT_EQ(*tokenizer->encode("card lost", true), (std::vector<int32_t>{1, 3, 4}));
  EXPECT_EQ(*tokenizer->encode("card lost", false), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(*tokenizer->encode("é</s> other", false), (std::vector<int32_t>{5, 2, 0}));
  EXPECT_EQ(*tokenizer->encode("", false), std::vector<int32_t>());
  EXPECT_EQ(*tokenizer->encode("", true), std::vector<int32_t>{1});
}

TEST_F(TokenizerTest, IgnoresTruncationAndPaddingLeftInTheFile) {
  tokenizer_["truncation"] = {
      {"direction", "Right"}, {"max_length", 1}, {"strategy", "LongestFirst"}, {"stride", 0}};
  tokenizer_["padding"] = {{"strategy", {{"Fixed", 8}}},
                           {"direction", "Right"},
                           {"pad_to_multiple_of", nullptr},
                           {"pad_id", 0},
                           {"pad_type_id", 0},
                           {"pad_token", "<unk>"}};
  EXPECT_EQ(*loaded()->encode("card lost", false), (std::vector<int32_t>{3, 4}));
}

TEST_F(TokenizerTest, DecodesWithAndWithoutSpecialTokens) {
  const auto tokenizer = loaded();
  const std::vector<int32_t> ids = {1, 3, 5, 2};
  EXPECT_EQ(*tokenizer->decode(ids, true), "card é");
  EXPECT_EQ(*tokenizer->decode(ids, false), "<s> card é </s>");
  EXPECT_EQ(*tokenizer->decode(std::vector<int32_t>{}, true), "");
  EXPECT_EQ(*tokenizer->decode(std::vector<int32_t>{3, 999}, true), "card");
}

TEST_F(TokenizerTest, RefusesTextThatIsNotUtf8AndNegativeIds) {
  const auto tokenizer = loaded();
  const Status text = tokenizer->encode("card \xff lost", true).status();
  EXPECT_EQ(text.code(), Code::kInvalidArgument);
  EXPECT_EQ(text.message(), "the text is no valid UTF-8 from byte 5 on");
  const Status ids = tokenizer->decode(std::vector<int32_t>{3, -1}, true).status();
  EXPECT_EQ(ids.code(), Code::kInvalidArgument);
  EXPECT_EQ(ids.message(), "-1 is no token id; allowed: 0 and above");
}

TEST_F(TokenizerTest, RendersChats) {
  const auto tokenizer = loaded();
  const json messages = {{{"role", "user"}, {"content", " card lost "}},
                         {{"role", "assistant"}, {"content", "é"}}};
  EXPECT_EQ(*tokenizer->render_chat(messages.dump(), true),
            "<s><user> card lost\n<assistant> é\n<assistant>");
  EXPECT_EQ(*tokenizer->render_chat(messages.dump(), false),
            "<s><user> card lost\n<assistant> é\n");
}

TEST_F(TokenizerTest, ChatTemplateFileGoesBeforeTheConfig) {
  write("chat_template.jinja", "{{ messages[0].content }}!");
  EXPECT_EQ(*loaded()->render_chat(R"([{"role": "user", "content": "hi"}])", false), "hi!");
}

TEST_F(TokenizerTest, RefusesChatsThatTheTemplateRefuses) {
  config_["chat_template"] = "{{ raise_exception('roles must alternate') }}";
  const auto tokenizer = loaded();
  const Status refused = tokenizer->render_chat(R"([{"role": "user"}])", false).status();
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("roles must alternate"));
  const Status empty = tokenizer->render_chat("[]", false).status();
  EXPECT_EQ(empty.message(), "a chat needs at least one message");
}

TEST_F(TokenizerTest, AModelWithoutOrWithAWrongTemplateStillReadsText) {
  config_.erase("chat_template");
  const auto without = loaded();
  EXPECT_TRUE(without->encode("card", true).ok());
  const Status missing = without->render_chat("[{}]", false).status();
  EXPECT_EQ(missing.code(), Code::kInvalidArgument);
  EXPECT_THAT(missing.message(), HasSubstr("no chat template"));

  config_["chat_template"] = "{% if %}";
  const auto wrong = loaded();
  EXPECT_TRUE(wrong->encode("card", true).ok());
  EXPECT_EQ(wrong->render_chat("[{}]", false).status().code(), Code::kDataLoss);
}

TEST_F(TokenizerTest, EosIsTheOneOfTheConfig) {
  EXPECT_EQ(loaded()->eos_id(), 2);
  config_["eos_token"] = {{"content", "<s>"}, {"lstrip", false}};
  EXPECT_EQ(loaded()->eos_id(), 1);
}

TEST_F(TokenizerTest, TokensOfTheConfigBecomeSpecial) {
  config_["pad_token"] = "card";
  config_["added_tokens_decoder"] = {
      {"6", {{"content", "<new>"}, {"special", false}, {"normalized", false}}}};
  const auto tokenizer = loaded();
  EXPECT_EQ(*tokenizer->encode("lost<new>lost", false), (std::vector<int32_t>{4, 6, 4}));
  EXPECT_EQ(*tokenizer->decode(std::vector<int32_t>{3, 4, 6}, true), "lost <new>");
}

TEST_F(TokenizerTest, RefusesFoldersWithoutATokenizer) {
  const Status folder = Tokenizer::load(folder_.path() / "none").status();
  EXPECT_EQ(folder.code(), Code::kNotFound);
  EXPECT_THAT(folder.message(), HasSubstr("none does not exist"));
  expect_refused(Code::kNotFound, "holds no tokenizer.json");
  write("tokenizer.json", tokenizer_.dump());
  expect_refused(Code::kNotFound, "holds no tokenizer_config.json");
}

TEST_F(TokenizerTest, RefusesDamagedFiles) {
  write_all();
  const std::string whole = tokenizer_.dump();
  write("tokenizer.json", whole.substr(0, whole.size() / 2));
  expect_refused(Code::kDataLoss, "tokenizer.json is damaged");
  write("tokenizer.json", "{}");
  expect_refused(Code::kDataLoss, "tokenizer.json is damaged");
  write("tokenizer.json", "\xff");
  expect_refused(Code::kDataLoss, "tokenizer.json is damaged: it is no valid UTF-8 from byte 0 on");
  write_all();
  write("tokenizer_config.json", "{\"eos_token\": ");
  expect_refused(Code::kDataLoss, "tokenizer_config.json is damaged");
}

TEST_F(TokenizerTest, RefusesModelsWithoutEos) {
  config_["eos_token"] = nullptr;
  write_all();
  expect_refused(Code::kInvalidArgument, "names no eos_token");
  config_["eos_token"] = "<end>";
  write_all();
  expect_refused(Code::kInvalidArgument,
                 "eos_token \"<end>\" of tokenizer_config.json is no token of tokenizer.json");
}

}  // namespace
}  // namespace prefixmem::trainer
