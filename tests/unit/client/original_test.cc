// From published files to rows.
#include "client/benchmarks/original.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "client/benchmarks/csv.h"
#include "client/benchmarks/python_shuffle.h"
#include "tests/unit/client/registry_example.h"

namespace prefixmem::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A registry's `original`, given as YAML.
Original rules_of(const std::string& rules) {
  std::string yaml = kTiny;
  const size_t begin = yaml.find("original:"), end = yaml.find("spec:");
  yaml.replace(begin, end - begin, "original: " + rules + "\n");
  const auto read = read_benchmarks(*spec::parse_tree(yaml), "tiny");
  EXPECT_TRUE(read.ok()) << read.status().message();
  return read.ok() ? *read->front().original : Original();
}

Result<std::string> converted(std::string_view body, const std::string& rules,
                              const Split& split = {}) {
  auto texts = convert_original(body, rules_of(rules), {&split});
  if (!texts.ok()) return texts.status();
  return texts->front();
}

std::vector<int64_t> shuffled(int64_t count, PythonRandom& random) {
  std::vector<int64_t> items(count);
  std::iota(items.begin(), items.end(), 0);
  random.shuffle(items);
  return items;
}

TEST(Csv, ReadsQuotedCells) {
  const auto records = parse_csv("a,b\r\n\"x, \"\"y\"\"\nz\",\n,\"\"");
  ASSERT_TRUE(records.ok()) << records.status().message();
  EXPECT_THAT(*records, ElementsAre(ElementsAre("a", "b"), ElementsAre("x, \"y\"\nz", ""),
                                    ElementsAre("", "")));
  EXPECT_TRUE(parse_csv("")->empty());
}

TEST(Csv, RefusesBrokenQuotes) {
  EXPECT_EQ(parse_csv("a\n\"b").status().message(), "line 2: a cell has no closing quote");
  EXPECT_EQ(parse_csv("\"a\"b").status().message(),
            "line 1: a cell goes on behind its closing quote");
}

TEST(Tsv, KnowsNoQuotes) {
  EXPECT_THAT(parse_tsv("a\t\"b\r\n\tc"),
              ElementsAre(ElementsAre("a", "\"b"), ElementsAre("", "c")));
}

// From CPython 3.11: r = random.Random(seed); x = list(range(n)); r.shuffle(x); …
TEST(PythonRandom, ShufflesAsPythonDoes) {
  PythonRandom zero(0);
  EXPECT_THAT(shuffled(10, zero), ElementsAre(7, 8, 1, 5, 3, 4, 2, 0, 9, 6));
  EXPECT_THAT(shuffled(5, zero), ElementsAre(3, 0, 4, 1, 2));
  PythonRandom large(12345678901234);
  EXPECT_THAT(shuffled(5, large), ElementsAre(4, 2, 3, 1, 0));
  EXPECT_THAT(shuffled(1, large), ElementsAre(0));
  EXPECT_TRUE(shuffled(0, large).empty());
}

TEST(Original, MakesRowsOfCsv) {
  const auto rows = converted("text,category\n  Where? ,card_arrival\n\"Two, \"\"é\"\"\",top_up\n",
                              R"({format: csv, fields: {
                                   text: {from: text, replace: {'^\s+|\s+$': ""}},
                                   label: {from: category, replace: {_: " "}}}})");
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(*rows,
            "{\"text\": \"Where?\", \"label\": \"card arrival\"}\n"
            "{\"text\": \"Two, \\\"é\\\"\", \"label\": \"top up\"}\n");
}

TEST(Original, KeepsRowsThatMatch) {
  const auto rows = converted("a\t1\nb\t1,2\nc\t0\n",
                              R"({format: tsv, columns: [text, ids], where: {ids: '^\d+$'},
                                  fields: {text: {from: text},
                                           label: {from: ids, replace: {^0$: no, ^1$: yes}}}})");
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(*rows, "{\"text\": \"a\", \"label\": \"yes\"}\n{\"text\": \"c\", \"label\": \"no\"}\n");
}

TEST(Original, ShufflesBeforeItTakes) {
  std::string list = "{\"examples\": [";
  for (int i = 0; i < 10; ++i) list += (i == 0 ? "" : ",") + ("{\"x\": " + std::to_string(i)) + "}";
  const std::string rules = "{format: json, at: /examples, shuffle: 0, fields: {n: {from: x}}}";
  Split split;
  split.take = {1, 3};
  EXPECT_EQ(*converted(list + "]}", rules, split), "{\"n\": \"8\"}\n{\"n\": \"1\"}\n");
  split.take = {9, 90};
  EXPECT_EQ(*converted(list + "]}", rules, split), "{\"n\": \"6\"}\n");
}

// From CPython 3.11, its random.Random(5) shuffling the rows of 2, those of 10, what the first
// split takes of each and what the second does.
TEST(Original, ShufflesAndTakesPerValue) {
  const Original original =
      rules_of("{format: csv, columns: [k, x], shuffle: 5, per: k, fields: {n: {from: x}}}");
  const auto mixed = converted("a,r0\n10,r1\n9,r2\n5a,r3\n",
                               "{format: csv, columns: [k, x], shuffle: 0, per: k, fields: {n: "
                               "{from: x}}}");
  ASSERT_TRUE(mixed.ok()) << mixed.status().message();
  EXPECT_EQ(std::count(mixed->begin(), mixed->end(), '\n'), 4) << "numbers first, each once";
  Split train, test;
  train.take = {0, 1};
  test.take = {1, 3};
  const auto texts = convert_original("10,r0\n2,r1\n2,r2\n10,r3\n10,r4\n2,r5\n2,r6\n10,r7\n",
                                      original, {&train, &test});
  ASSERT_TRUE(texts.ok()) << texts.status().message();
  EXPECT_THAT(*texts,
              ElementsAre("{\"n\": \"r4\"}\n{\"n\": \"r1\"}\n",
                          "{\"n\": \"r7\"}\n{\"n\": \"r3\"}\n{\"n\": \"r2\"}\n{\"n\": \"r6\"}\n"));
}

TEST(Original, FollowsPointersAndLists) {
  const auto rows =
      converted(R"({"talk": [{"from": "human", "value": "q\n"}], "good": {"value": 1.50}})",
                R"({format: jsonl, fields: {
            messages: {from: talk, each: {role: {from: from, replace: {^human$: user}},
                                          content: {from: value}}},
            chosen: {from: /good/value}}})");
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(*rows, R"({"messages": [{"role": "user", "content": "q\n"}], "chosen": "1.5"})"
                   "\n");
}

TEST(Original, SaysWhatIsNotAsExpected) {
  const std::string rules = "{format: json, at: /rows, fields: {n: {from: x}}}";
  const std::string begin = "the file is not in the expected form: ";
  for (const auto& [body, reason] :
       {std::pair("[", "it holds what is no JSON"), std::pair("{}", "it has no list of rows"),
        std::pair("{\"rows\": [{\"y\": 1}]}", "a row has no text at x"),
        std::pair("{\"rows\": [3]}", "a row has no text at x")}) {
    const Status status = converted(body, rules).status();
    EXPECT_EQ(status.code(), Code::kDataLoss);
    EXPECT_EQ(status.message(), begin + reason);
  }
  EXPECT_THAT(converted("a,b\nc\n", "{format: csv, fields: {n: {from: a}}}").status().message(),
              HasSubstr("a record has 1 cells, not 2"));
}

}  // namespace
}  // namespace prefixmem::client
