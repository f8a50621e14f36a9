#include "worker/trainer/data/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "worker/trainer/data/jsonl.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RowsTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("rows_test_" + std::to_string(getpid()) + ".jsonl");
    std::ofstream(path) << text;
    return path;
  }
};

struct BadFile {
  const char* name;
  DataFormat format;
  const char* text;
  Code code;
  const char* sentence;
};

class BadFileTest : public RowsTest, public ::testing::WithParamInterface<BadFile> {};

TEST_P(BadFileTest, NamesTheLineAndTheCause) {
  const auto rows = read_rows(write(GetParam().text), GetParam().format);
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.status().code(), GetParam().code);
  EXPECT_THAT(rows.status().message(), HasSubstr(GetParam().sentence));
}

constexpr auto kPair = DataFormat::kPromptCompletion;
constexpr auto kLabel = DataFormat::kTextLabel;
constexpr auto kChat = DataFormat::kMessages;
INSTANTIATE_TEST_SUITE_P(
    Files, BadFileTest,
    ::testing::Values(
        BadFile{"Truncated", kPair, "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a",
                Code::kInvalidArgument, "line 2 is not valid JSON: it ends too early"},
        BadFile{"Garbage", kPair, "{\"prompt\" 1}", Code::kInvalidArgument,
                "line 1 is not valid JSON: unexpected character at column 11"},
        BadFile{"NoObject", kPair, "[1]", Code::kInvalidArgument, "line 1 is a JSON array"},
        BadFile{"MissingKey", kPair, "{\"prompt\": \"a\"}", Code::kInvalidArgument,
                "line 1 has no key \"completion\""},
        BadFile{"WrongType", kLabel, "{\"text\": \"a\", \"label\": 3}", Code::kInvalidArgument,
                "\"label\" is a number; allowed: a string"},
        BadFile{"Empty", kLabel, "\n \n", Code::kInvalidArgument, "holds no rows"},
        BadFile{"NoMessages", kChat, "{\"messages\": []}", Code::kInvalidArgument,
                "is not a list with at least one message"},
        BadFile{"LastIsUser", kChat, "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
                Code::kInvalidArgument, "the last message's role is \"user\"; allowed: assistant"},
        BadFile{"NoRole", kChat, "{\"messages\": [{\"content\": \"a\"}]}", Code::kInvalidArgument,
                "has no key \"role\""}),
    [](const auto& info) { return info.param.name; });

TEST_F(RowsTest, MissingFileIsNotFound) {
  EXPECT_EQ(read_rows("/nowhere/train.jsonl", kPair).status().code(), Code::kNotFound);
}

TEST_F(RowsTest, SkipsBlankLinesAndKeepsLineNumbers) {
  const auto rows =
      read_rows(write("\n{\"text\": \"a\", \"label\": \"x\", \"extra\": 1}\n"), kLabel);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().line, 2);
  EXPECT_EQ(rows->front().text, "a");
  EXPECT_EQ(rows->front().label, "x");
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

TEST(Labels, StandInFirstSeenOrder) {
  EXPECT_THAT(distinct_labels(labelled_rows(5, 2)), ElementsAre("label 0", "label 1"));
}

}  // namespace
}  // namespace prefixmem::trainer
