#include "worker/trainer/data/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/byte_codec.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ByteCodec kCodec;

Result<std::vector<Example>> encode(const DataSpec& spec, const Row& row, int64_t limit = 100,
                                    const TextCodec& codec = kCodec) {
  const RowLimit most{limit, spec.overflow, "data.max_tokens"};
  PM_ASSIGN(auto encoded, RowEncoder(codec, spec, {"x", "yy"}, most).encode_all({row}, "t.jsonl"));
  return std::move(encoded.examples);
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
  EXPECT_EQ(out->front().answer, "yy");
}

TEST(Encode, LabelsStandAsTheirWords) {
  DataSpec spec;
  spec.format = DataFormat::kTextLabel;
  spec.prompt_template = "{labels}|{text}>";
  spec.completion_template = "{label}";
  spec.label_words = {{"yy", "good"}};
  const auto out = encode(spec, {1, "t", "yy", ""});
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(*kCodec.decode({out->front().ids.begin() + 1, out->front().ids.end() - 1}),
            "x, good|t>good");
  EXPECT_EQ(out->front().label, 1);
  EXPECT_EQ(out->front().answer, "good");
  const auto ids = RowEncoder(kCodec, spec, {"x", "yy"}, {100}).encode_labels();
  EXPECT_THAT(ids->back(), ElementsAre('g', 'o', 'o', 'd', 2));
}

TEST(Encode, APairSharesItsPrompt) {
  DataSpec spec;
  spec.format = DataFormat::kPreference;
  Row row{5, "p", "c", ""};
  row.rejected = "rr";
  const auto out = encode(spec, row);
  ASSERT_TRUE(out.ok()) << out.status().message();
  ASSERT_EQ(out->size(), 2U);
  EXPECT_THAT((*out)[0].ids, ElementsAre(1, 'p', 'c', 2));
  EXPECT_THAT((*out)[1].ids, ElementsAre(1, 'p', 'r', 'r', 2));
  for (const Example& example : *out) {
    EXPECT_EQ(example.prompt_tokens, 2);
    EXPECT_EQ(example.line, 5);
  }
  EXPECT_EQ((*out)[1].answer, "rr");
}

TEST(Encode, APairOfChatsGoesThroughTheTemplate) {
  DataSpec spec;
  spec.format = DataFormat::kPreference;
  Row row;
  row.chat = true;
  row.text = R"([{"role": "user", "content": "q"}])";
  row.label = R"([{"role": "assistant", "content": "c"}])";
  row.rejected = R"([{"role": "assistant", "content": "r"}, {"role": "user", "content": "s"},
                     {"role": "assistant", "content": "t"}])";
  const auto out = encode(spec, row);
  ASSERT_TRUE(out.ok()) << out.status().message();
  ASSERT_EQ(out->size(), 2U);
  EXPECT_THAT((*out)[0].ids, ElementsAre('u', ':', 'q', 2, 'a', ':', 'c', 2));
  EXPECT_EQ(*kCodec.decode((*out)[1].ids), "u:q\2a:r\2u:s\2a:t\2");
  EXPECT_EQ((*out)[0].prompt_tokens, 6);
  EXPECT_EQ((*out)[1].prompt_tokens, 6);
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
  const auto out = encode(spec, chat("ok"), 100, codec);
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
  const auto ids = RowEncoder(kCodec, spec, {"x", "yy"}, {100}).encode_labels();
  ASSERT_TRUE(ids.ok());
  EXPECT_THAT(*ids, ElementsAre(ElementsAre(' ', 'x', 2), ElementsAre(' ', 'y', 'y', 2)));
}

TEST(EncodeLabels, MustNotDependOnTheText) {
  DataSpec spec;
  spec.format = DataFormat::kTextLabel;
  spec.completion_template = "{text} {label}";
  const auto ids = RowEncoder(kCodec, spec, {"x"}, {100}).encode_labels();
  EXPECT_THAT(ids.status().message(), HasSubstr("no {text} in it"));
}

}  // namespace
}  // namespace prefixmem::trainer
