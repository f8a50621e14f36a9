#include "worker/trainer/data/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/scratch_folder.h"
#include "worker/trainer/data/templates.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

DataSpec of(DataFormat format) {
  DataSpec data;
  data.format = format;
  return data;
}

struct BadFile {
  const char* name;
  DataFormat format;
  const char* text;
  const char* sentence;
  const char* file = "t.jsonl";
};

class BadFileTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, NamesTheRowAndTheCause) {
  const auto rows =
      read_rows(std::string_view(GetParam().text), GetParam().file, of(GetParam().format));
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(rows.status().message(), HasSubstr(GetParam().sentence));
  EXPECT_THAT(rows.status().message(), HasSubstr(GetParam().file));
}

constexpr auto kPair = DataFormat::kPromptCompletion;
constexpr auto kLabel = DataFormat::kTextLabel;
constexpr auto kChat = DataFormat::kMessages;
INSTANTIATE_TEST_SUITE_P(
    Files, BadFileTest,
    ::testing::Values(
        BadFile{"Truncated", kPair, "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a",
                "line 2 is not valid JSON: it ends too early"},
        BadFile{"Garbage", kPair, "{\"prompt\" 1}",
                "line 1 is not valid JSON: unexpected character at column 11"},
        BadFile{"NoUtf8", kPair, "{\"prompt\": \"\xff\"}",
                "line 1 is not valid JSON: unexpected character at column 13"},
        BadFile{"NoObject", kPair, "[1]", "line 1 is a JSON array; allowed: an object"},
        BadFile{"MissingKey", kPair, "{\"prompt\": \"a\"}", "line 1 has no key \"completion\""},
        BadFile{"Number", kPair, "{\"prompt\": 3, \"completion\": \"b\"}",
                "line 1: \"prompt\" is a number; allowed: a string"},
        BadFile{"Fraction", kLabel, "{\"text\": \"a\", \"label\": 3.5}",
                "\"label\" is a number; allowed: a string"},
        BadFile{"Null", kLabel, "{\"text\": null, \"label\": 3}",
                "\"text\" is a null; allowed: a string"},
        BadFile{"Empty", kLabel, "\n \n", "data file t.jsonl holds no rows"},
        BadFile{"NoMessages", kChat, "{\"messages\": []}",
                "is not a list with at least one message"},
        BadFile{"LastIsUser", kChat, "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
                "the last message's role is \"user\"; allowed: assistant"},
        BadFile{"NoRole", kChat, "{\"messages\": [{\"content\": \"a\"}]}", "has no key \"role\""},
        BadFile{"PartsForContent", kChat, "{\"messages\": [{\"role\": \"user\", \"content\": []}]}",
                "\"content\" is an array; allowed: a string"},
        BadFile{"NoColumn", kLabel, "text,class\na,0\n",
                "t.csv has no column \"label\"; it has: text, class", "t.csv"},
        BadFile{"OnlyAHeader", kLabel, "text,label\n", "data file t.csv holds no rows", "t.csv"},
        BadFile{"ChatInCsv", kChat, "messages\n\"[{]\"\n",
                "t.csv line 2: \"messages\" is not valid JSON", "t.csv"}),
    [](const auto& info) { return info.param.name; });

TEST(Rows, ADeeplyNestedLineIsRefused) {
  const std::string line = "{\"prompt\": " + std::string(1'000'000, '[');
  const Status status = read_rows(line, "t.jsonl", of(kPair)).status();
  EXPECT_EQ(status.message(),
            "t.jsonl line 1 is JSON nested too deeply; allowed: at most 100 lists and objects in "
            "one another");
  const auto quoted =
      read_rows("{\"prompt\": \"\\\"" + std::string(1000, '[') + "\", \"completion\": \"b\"}",
                "t.jsonl", of(kPair));
  EXPECT_TRUE(quoted.ok()) << quoted.status().message();
}

TEST(Rows, FilesThatCannotBeReadAreNamed) {
  const ScratchFolder folder;
  EXPECT_EQ(read_rows(folder.path() / "none.jsonl", of(kPair)).status().code(), Code::kNotFound);
  EXPECT_EQ(read_rows(folder.path() / "none.csv", of(kPair)).status().code(), Code::kNotFound);
  const Status status = read_rows(folder.path(), of(kPair)).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("is a folder; allowed: a file of rows"));
  const Status damaged = read_rows(folder.write("a.parquet", "PAR1"), of(kPair)).status();
  EXPECT_EQ(damaged.code(), Code::kDataLoss);
}

TEST(Rows, SkipBlankLinesAndKeepLineNumbers) {
  const auto rows =
      read_rows("\n{\"text\": \"a\", \"label\": \"x\", \"extra\": 1}\n", "t.jsonl", of(kLabel));
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().line, 2);
  EXPECT_EQ(rows->front().text, "a");
  EXPECT_EQ(rows->front().label, "x");
}

// The same row in each form of file.
TEST(Rows, AreTheSameInEveryForm) {
  DataSpec data = of(kLabel);
  data.columns = {{"text", "sentence"}};
  const ScratchFolder folder;
  for (const auto& [name, content] :
       {std::pair("t.jsonl", "{\"label\": 3, \"sentence\": \"a, \\\"é\\\"\"}\n"),
        std::pair("t.rows", "{\"label\": \"3\", \"sentence\": \"a, \\\"é\\\"\"}"),
        std::pair("t.csv", "id,label,sentence\n7,3,\"a, \"\"é\"\"\"\n"),
        std::pair("t.TSV", "label\tsentence\n3\t\"a, \"\"é\"\"\"\n")}) {
    for (const auto& rows :
         {read_rows(folder.write(name, content), data), read_rows(content, name, data)}) {
      ASSERT_TRUE(rows.ok()) << rows.status().message();
      ASSERT_EQ(rows->size(), 1U);
      EXPECT_EQ(rows->front().text, "a, \"é\"");
      EXPECT_EQ(rows->front().label, "3");
    }
  }
}

TEST(Rows, OfCompletionAndAnswerOneWillDo) {
  const auto rows = read_rows(R"({"prompt": "p", "completion": "c", "answer": "a"})"
                              "\n"
                              R"({"prompt": "p", "answer": 27.0})"
                              "\n"
                              R"({"prompt": "p", "completion": "c", "answer": null})",
                              "t.jsonl", of(kPair));
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  const std::pair<std::string, std::string> expected[] = {{"c", "a"}, {"27.0", "27.0"}, {"c", ""}};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*rows)[i].label, expected[i].first);
    EXPECT_EQ((*rows)[i].answer, expected[i].second);
  }
  const auto table = read_rows("prompt,answer\np,3\n", "t.csv", of(kPair));
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->front().label, "3");
}

TEST(Rows, MessagesKeepTheOrderOfTheirKeys) {
  const std::string messages = R"([{"role":"user","content":"q","b":1,"a":[{"z":1,"y":2}]},)"
                               R"({"content":"x","role":"assistant"}])";
  const auto rows = read_rows("{\"messages\": " + messages + "}", "t.jsonl", of(kChat));
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(rows->front().messages, messages);
}

TEST(Rows, CsvHoldsMessagesAsTheirJson) {
  const auto rows =
      read_rows("messages\n\"[{\"\"role\"\": \"\"assistant\"\", \"\"content\"\": \"\"a\"\"}]\"\n",
                "t.csv", of(kChat));
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(rows->front().messages, R"([{"role":"assistant","content":"a"}])");
}

TEST(Rows, OfATextFileAreNamedByLineAndOfParquetByRow) {
  EXPECT_EQ(row_name("d/t.jsonl", 3), "d/t.jsonl line 3");
  EXPECT_EQ(row_name("d/t.parquet", 3), "d/t.parquet row 3");
}

std::vector<Row> labelled_rows(int64_t count, int64_t classes) {
  std::vector<Row> rows;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back({i + 1, "text", "label " + std::to_string(i % classes), ""});
  }
  return rows;
}

std::vector<int64_t> lines(const std::vector<Row>& rows) {
  std::vector<int64_t> out;
  for (const Row& row : rows) out.push_back(row.line);
  return out;
}

TEST(FewShot, TakesSoManyOfEachClassInFileOrder) {
  const auto rows = labelled_rows(30, 3);
  const auto chosen = select_few_shot(rows, {.per_class = 2, .seed = 5}, "f");
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen->size(), 6U);
  EXPECT_TRUE(std::is_sorted(chosen->begin(), chosen->end(),
                             [](const Row& a, const Row& b) { return a.line < b.line; }));
  for (const auto& label : distinct_labels(rows)) {
    EXPECT_EQ(std::count_if(chosen->begin(), chosen->end(),
                            [&](const Row& row) { return row.label == label; }),
              2);
  }
}

// The numbers are part of the contract: they must not change with a compiler or a library.
TEST(FewShot, IsTheSameEverywhere) {
  const auto rows = labelled_rows(30, 3);
  EXPECT_THAT(lines(*select_few_shot(rows, {.per_class = 2, .seed = 5}, "f")),
              ElementsAre(5, 6, 10, 14, 21, 28));
  EXPECT_NE(lines(*select_few_shot(rows, {.per_class = 2, .seed = 5}, "f")),
            lines(*select_few_shot(rows, {.per_class = 2, .seed = 6}, "f")));
}

TEST(FewShot, NamesAClassThatHasTooFew) {
  const auto chosen = select_few_shot(labelled_rows(4, 3), {.per_class = 2, .seed = 0}, "f.jsonl");
  ASSERT_FALSE(chosen.ok());
  EXPECT_THAT(
      chosen.status().message(),
      HasSubstr("data.few_shot.per_class is 2, but label \"label 1\" has 1 rows in f.jsonl"));
}

TEST(Template, FillsFieldsOnceAndLeavesTheRest) {
  EXPECT_EQ(fill_template("{labels}: {text} {x} {label}", {"{label}", "b", "a, b"}),
            "a, b: {label} {x} b");
}

Status checked(const std::map<std::string, std::string>& words) {
  DataSpec data;
  data.label_words = words;
  return check_label_words(data, {"0", "1", "2"});
}

TEST(LabelWords, AreOneForEachLabel) {
  DataSpec data;
  data.label_words = {{"0", "bad"}};
  EXPECT_EQ(words_of(data, "0"), "bad");
  EXPECT_EQ(words_of(data, "1"), "1");
  EXPECT_TRUE(checked({{"0", "bad"}, {"2", "good"}}).ok());
  EXPECT_TRUE(checked({{"0", "1"}, {"1", "0"}}).ok());
  EXPECT_EQ(checked({{"0", "bad"}, {"2", "bad"}}).message(),
            "labels \"0\" and \"2\" both stand as \"bad\"; allowed: words of its own for each "
            "(data.label_words)");
  EXPECT_THAT(checked({{"0", "1"}}).message(), HasSubstr("labels \"0\" and \"1\" both stand"));
  EXPECT_EQ(checked({{"3", "x"}}).message(),
            "data.label_words names the label \"3\", which no row has; allowed: 0, 1, 2");
}

TEST(Labels, StandInFirstSeenOrder) {
  EXPECT_THAT(distinct_labels(labelled_rows(5, 2)), ElementsAre("label 0", "label 1"));
}

}  // namespace
}  // namespace prefixmem::trainer
