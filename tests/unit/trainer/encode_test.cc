#include "worker/trainer/data/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One token a byte; 1 is the begin and 2 the end of a text.
class ByteCodec : public TextCodec {
 public:
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special) const override {
    std::vector<int32_t> ids;
    if (add_special) ids.push_back(1);
    for (const char c : text) ids.push_back(c == '$' ? 2 : static_cast<unsigned char>(c));
    return ids;
  }
  Result<std::string> decode(const std::vector<int32_t>& ids) const override {
    return std::string(ids.begin(), ids.end());
  }
  Result<std::string> render_chat(const std::string& messages, bool prompt) const override {
    std::string out;
    for (const auto& m : nlohmann::json::parse(messages)) {
      const std::string role = m["role"], content = m["content"];
      out += role.substr(0, 1) + ":" + content + end_of_turn;
    }
    return out + (prompt ? "a:" : "");
  }
  int32_t eos_id() const override { return 2; }
  std::string end_of_turn = "$";
};

const ByteCodec kCodec;

Result<std::vector<Example>> encode(const DataSpec& spec, const Row& row, int64_t limit = 100) {
  return RowEncoder(kCodec, spec, {"x", "yy"}, limit).encode_all({row}, "t.jsonl");
}

TEST(Encode, PromptCompletionAndEos) {
  const auto out = encode(DataSpec{}, {7, "pp", "cc", ""});
  ASSERT_TRUE(out.ok()) << out.status().message();
  EXPECT_THAT(out->front().ids, ElementsAre(1, 'p', 'p', 'c', 'c', 2));
  EXPECT_EQ(out->front().prompt_tokens, 3);
  EXPECT_EQ(out->front().input_tokens(), 5);
  EXPECT_EQ(out->front().label_tokens(), 3);
}

TEST(Encode, TextLabelFillsItsTemplates) {
  DataSpec spec;
  spec.format = DataFormat::kTextLabel;
  spec.prompt_template = "{labels}|{text}>";
  spec.completion_template = "{label}";
  const auto out = encode(spec, {1, "t", "yy", ""});
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(*kCodec.decode({out->front().ids.begin() + 1, out->front().ids.end() - 1}),
            "x, yy|t>yy");
  EXPECT_EQ(out->front().label, 1);
  EXPECT_EQ(out->front().completion, "yy");
}

Row chat(const std::string& answer) {
  const nlohmann::json messages = {{{"role", "user"}, {"content", "q"}},
                                   {{"role", "assistant"}, {"content", answer}}};
  return {3, "", "", messages.dump()};
}

TEST(Encode, MessagesGoThroughTheTemplate) {
  DataSpec spec;
  spec.format = DataFormat::kMessages;
  const auto out = encode(spec, chat("ok"));
  ASSERT_TRUE(out.ok()) << out.status().message();
  EXPECT_THAT(out->front().ids, ElementsAre('u', ':', 'q', 2, 'a', ':', 'o', 'k', 2));
  EXPECT_EQ(out->front().prompt_tokens, 6);
}

TEST(Encode, MessagesGetEosWhereTheTemplateHasNone) {
  DataSpec spec;
  spec.format = DataFormat::kMessages;
  ByteCodec codec;
  codec.end_of_turn = ";";
  const auto out = RowEncoder(codec, spec, {}, 100).encode_all({chat("ok")}, "t.jsonl");
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->front().ids.back(), 2);
}

struct Refused {
  const char* name;
  DataFormat format;
  Row row;
  int64_t limit;
  const char* sentence;
};
class RefusedRowTest : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedRowTest, NamesTheRow) {
  DataSpec spec;
  spec.format = GetParam().format;
  const auto out = encode(spec, GetParam().row, GetParam().limit);
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(out.status().message(), HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedRowTest,
    ::testing::Values(
        Refused{"NoLabelToken",
                DataFormat::kPromptCompletion,
                {4, "p", "", ""},
                100,
                "t.jsonl line 4 has no label token: its completion is empty"},
        Refused{"EmptyAnswer", DataFormat::kMessages, chat(""), 100,
                "t.jsonl line 3 has no label token"},
        Refused{
            "DoesNotFit",
            DataFormat::kPromptCompletion,
            {9, "pp", "cccc", ""},
            7,
            "t.jsonl line 9 holds a completion that does not fit: prompt and completion are 3 + "
            "5 = 8 tokens; allowed: at most 7"}),
    [](const auto& info) { return info.param.name; });

TEST(EncodeLabels, AreCompletionsWithEos) {
  DataSpec spec;
  spec.format = DataFormat::kTextLabel;
  const auto ids = RowEncoder(kCodec, spec, {"x", "yy"}, 100).encode_labels();
  ASSERT_TRUE(ids.ok());
  EXPECT_THAT(*ids, ElementsAre(ElementsAre(' ', 'x', 2), ElementsAre(' ', 'y', 'y', 2)));
}

TEST(EncodeLabels, MustNotDependOnTheText) {
  DataSpec spec;
  spec.format = DataFormat::kTextLabel;
  spec.completion_template = "{text} {label}";
  const auto ids = RowEncoder(kCodec, spec, {"x"}, 100).encode_labels();
  EXPECT_THAT(ids.status().message(), HasSubstr("no {text} in it"));
}

}  // namespace
}  // namespace prefixmem::trainer
