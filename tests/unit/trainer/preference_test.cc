// Pairs of answers, from their rows to their ids.
#include "worker/trainer/data/preference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/trainer/data/rows.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

Result<std::vector<Row>> read(const std::string& line) {
  DataSpec data;
  data.format = DataFormat::kPreference;
  return read_rows(line, "t.jsonl", data);
}

struct Pair {
  const char* name;
  const char* line;
  const char *prompt, *chosen, *rejected;
};
class PairTest : public ::testing::TestWithParam<Pair> {};

TEST_P(PairTest, HasAPromptAndTwoAnswers) {
  const auto rows = read(GetParam().line);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(rows->front().text, GetParam().prompt);
  EXPECT_EQ(rows->front().label, GetParam().chosen);
  EXPECT_EQ(rows->front().rejected, GetParam().rejected);
  EXPECT_EQ(rows->front().chat, *GetParam().chosen == '[');
}

#define USER(text) R"({"role":"user","content":")" text R"("})"
#define MODEL(text) R"({"role":"assistant","content":")" text R"("})"

INSTANTIATE_TEST_SUITE_P(
    Rows, PairTest,
    ::testing::Values(
        Pair{"Text", R"({"prompt": "p", "chosen": "c", "rejected": "r"})", "p", "c", "r"},
        Pair{"TextEqualAnswers", R"({"prompt": "p", "chosen": "c", "rejected": "c"})", "p", "c",
             "c"},
        Pair{"TextWithinAnswers", R"({"chosen": "The sky is blue.", "rejected": "The sky is up."})",
             "The sky is", " blue.", " up."},
        Pair{"NullPrompt", R"({"prompt": null, "chosen": "ab", "rejected": "ac"})", "a", "b", "c"},
        Pair{"TextCutBetweenCharacters", R"({"chosen": "aé", "rejected": "aè"})", "a", "é", "è"},
        Pair{"Messages",
             R"({"prompt": [)" USER("q") R"(], "chosen": [)" MODEL("c") R"(], "rejected": [)" MODEL(
                 "r") "]}",
             "[" USER("q") "]", "[" MODEL("c") "]", "[" MODEL("r") "]"},
        Pair{"TextsThatAnswerMessages",
             R"({"prompt": [)" USER("q") R"(], "chosen": "c", "rejected": "r"})", "[" USER("q") "]",
             "[" MODEL("c") "]", "[" MODEL("r") "]"},
        Pair{"MessagesWithinAnswers",
             R"({"chosen": [)" USER("q") "," MODEL("c") R"(], "rejected": [)" USER("q") "," MODEL(
                 "r") "," USER("s") "," MODEL("t") "]}",
             "[" USER("q") "]", "[" MODEL("c") "]",
             "[" MODEL("r") "," USER("s") "," MODEL("t") "]"},
        Pair{"PromptOfTextBesideMessages",
             R"({"prompt": "q", "chosen": [)" USER("q") "," MODEL(
                 "c") R"(], "rejected": [{"content": "q", "role": "user"},)" MODEL("r") "]}",
             "[" USER("q") "]", "[" MODEL("c") "]", "[" MODEL("r") "]"}),
    [](const auto& info) { return info.param.name; });

struct RefusedPair {
  const char* name;
  const char* line;
  const char* sentence;
};
class RefusedPairTest : public ::testing::TestWithParam<RefusedPair> {};

TEST_P(RefusedPairTest, IsNamed) {
  const auto rows = read(GetParam().line);
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(rows.status().message(),
              HasSubstr(std::string("t.jsonl line 1") + GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedPairTest,
    ::testing::Values(
        RefusedPair{"NoRejected", R"({"prompt": "p", "chosen": "c"})", " has no key \"rejected\""},
        RefusedPair{"Number", R"({"prompt": "p", "chosen": 1, "rejected": "r"})",
                    ": \"chosen\" is a number; allowed: a string"},
        RefusedPair{"TextBesideMessages",
                    R"({"prompt": "p", "chosen": "c", "rejected": [)" MODEL("r") "]}",
                    ": \"rejected\" is an array; allowed: a string"},
        RefusedPair{"NothingInCommon", R"({"chosen": "c", "rejected": "r"})",
                    " has no prompt: the answers differ from the first character on"},
        RefusedPair{"OneBeginsTheOther", R"({"chosen": "a b", "rejected": "a b c"})",
                    " has no prompt: one answer is the beginning of the other"},
        RefusedPair{"EqualChats",
                    R"({"chosen": [)" MODEL("c") R"(], "rejected": [)" MODEL("c") "]}",
                    " has no prompt: one answer is the beginning of the other"},
        RefusedPair{"NoMessageInCommon",
                    R"({"chosen": [)" MODEL("c") R"(], "rejected": [)" MODEL("r") "]}",
                    " has no prompt: the answers differ from the first message on"},
        RefusedPair{"EndsWithUser",
                    R"({"chosen": [)" USER("q") R"(], "rejected": [)" USER("r") "]}",
                    ": \"chosen\": the last message's role is \"user\""},
        RefusedPair{"PromptEndsWithAssistant",
                    R"({"prompt": [)" MODEL("p") R"(], "chosen": [)" MODEL(
                        "c") R"(], "rejected": [)" MODEL("r") "]}",
                    ": the prompt's last message is the assistant's"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace prefixmem::trainer
