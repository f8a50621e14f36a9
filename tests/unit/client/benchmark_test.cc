// Files of a registry: what they say, and each way in which they can be wrong.
#include "client/benchmarks/benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/benchmarks/registry.h"
#include "tests/unit/client/registry_example.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<std::vector<Benchmark>> read(const std::string& yaml, const std::string& name = "tiny") {
  const auto tree = spec::parse_tree(yaml);
  EXPECT_TRUE(tree.ok()) << tree.status().message();
  return read_benchmarks(*tree, name);
}

std::string refusal(const std::string& yaml) {
  const auto read_file = read(yaml);
  EXPECT_EQ(read_file.status().code(), Code::kInvalidArgument);
  return read_file.status().message();
}

// kTiny with one text in the place of another.
std::string changed(const std::string& from, const std::string& to) {
  std::string yaml = kTiny;
  const size_t at = yaml.find(from);
  EXPECT_NE(at, yaml.npos) << from;
  return yaml.replace(at, from.size(), to);
}

TEST(Benchmark, IsReadFromItsFile) {
  const auto read_file = read(kTiny);
  ASSERT_TRUE(read_file.ok()) << read_file.status().message();
  ASSERT_EQ(read_file->size(), 1U);
  const Benchmark& tiny = read_file->front();
  EXPECT_EQ(tiny.name, "tiny");
  EXPECT_EQ(tiny.suite(), "");
  EXPECT_EQ(tiny.train->rows, 2);
  EXPECT_EQ(tiny.test->url, "https://example.org/test.csv");
  EXPECT_FALSE(tiny.validation);
  ASSERT_TRUE(tiny.original);
  EXPECT_EQ(tiny.original->format, Original::Format::kCsv);
  EXPECT_EQ(tiny.settings.find("data")->find("format")->scalar, "text_label");
}

TEST(Benchmark, TheTasksOfASuiteGoOverWhatTheyHaveInCommon) {
  const auto suite = read(std::string(kTiny) +
                          "tasks:\n"
                          "  one: {splits: {test: {rows: 7}}}\n"
                          "  two: {about: Two, spec: {data: {labels: [a, b], few_shot: null}}}\n");
  ASSERT_TRUE(suite.ok()) << suite.status().message();
  ASSERT_EQ(suite->size(), 2U);
  EXPECT_EQ((*suite)[0].name, "tiny/one");
  EXPECT_EQ((*suite)[0].suite(), "tiny");
  EXPECT_EQ((*suite)[0].test->rows, 7);
  EXPECT_EQ((*suite)[1].test->rows, 1);
  EXPECT_EQ((*suite)[1].about, "Two");
  EXPECT_TRUE((*suite)[1].settings.find("data")->find("few_shot")->is_null());
  EXPECT_EQ((*suite)[1].settings.find("data")->find("template")->scalar, "Q: {text}\nA:");
}

TEST(Benchmark, EveryMistakeIsNamed) {
  EXPECT_EQ(refusal("[1]"), "the file is a list; allowed: a map of keys");
  EXPECT_EQ(refusal("about: x"), "licence is missing; allowed: text");
  EXPECT_EQ(refusal(changed("licence:", "license:")),
            "license is not a key; did you mean licence?");
  EXPECT_EQ(refusal(changed("rows: 2", "rows: two")),
            "splits.train.rows is \"two\"; allowed: a whole number of at least 0");
  EXPECT_EQ(refusal(changed("rows: 2", "rows: 0")),
            "splits.train.rows is \"0\"; allowed: a whole number of at least 1");
  EXPECT_EQ(refusal(changed("sha256: 0", "sha256: x0")).substr(0, 27),
            "splits.train.sha256 is \"x00");
  EXPECT_EQ(refusal(changed("file: train.jsonl", "file: ../train.jsonl")),
            "splits.train.file is \"../train.jsonl\"; allowed: a name without '/'");
  EXPECT_EQ(refusal(changed("rows: 2", "rows: 2\n    take: [5, 3]")),
            "splits.train.take is a list; allowed: two numbers: [first, end]");
  EXPECT_EQ(refusal(changed("rows: 2", "rows: 2\n    take: [0, x]")),
            "splits.train.take is a list; allowed: a list of whole numbers of at least 0");
  EXPECT_EQ(refusal(changed("  test:", "  validation:")),
            "splits.test is missing; allowed: a map of keys");
  EXPECT_EQ(refusal(changed("format: csv", "format: xml")),
            "original.format is \"xml\"; allowed: json, jsonl, csv, tsv");
  EXPECT_EQ(refusal(changed("{_: \" \"}", "{\"(\": x}")),
            "original.fields.label.replace is a map; allowed: regular expressions of RE2: missing "
            "): (");
  EXPECT_EQ(refusal(changed("template:", "templat:")),
            "spec: data.templat is not a key; did you mean template?");
  EXPECT_EQ(refusal(changed("metric: accuracy", "metric: exact_match")),
            "spec: eval.metric is exact_match with eval.mode label_likelihood; allowed: only with "
            "generate");
  EXPECT_EQ(refusal(changed("spec:", "spec:\n  train: {seed: 1}")),
            "spec.train is not a key; allowed: data, objective, eval");
  EXPECT_EQ(refusal(std::string(kTiny) + "tasks: {one: {about: [x]}}"),
            "tasks.one: about is a list; allowed: text");
  EXPECT_THAT(read(kTiny, "Tiny").status().message(), HasSubstr("the name \"Tiny\" is not one"));
}

TEST(Registry, TheFirstFolderThatHasANameCounts) {
  const TempFolder mine, shipped;
  write_benchmark(mine.path() / "tiny.yaml", changed("A tiny one", "Mine"));
  write_benchmark(shipped.path() / "tiny.yaml", kTiny);
  write_benchmark(shipped.path() / "suite.yaml",
                  std::string(kTiny) + "tasks: {one: {}, two: {}}\n");
  write_benchmark(shipped.path() / "README.md", "no benchmark");
  const auto registry = Registry::open({mine.path(), shipped.path()});
  ASSERT_TRUE(registry.ok()) << registry.status().message();
  std::vector<std::string> names;
  for (const Benchmark& one : registry->benchmarks()) names.push_back(one.name);
  EXPECT_THAT(names, ElementsAre("suite/one", "suite/two", "tiny"));
  EXPECT_EQ((*registry->find("tiny"))[0]->about, "Mine");
  EXPECT_EQ((*registry->find("suite")).size(), 2U);
  EXPECT_EQ((*registry->find("suite/two"))[0]->name, "suite/two");
}

TEST(Registry, SaysWhatThereIs) {
  const TempFolder folder;
  write_benchmark(folder.path() / "tiny.yaml", kTiny);
  write_benchmark(folder.path() / "suite.yaml", std::string(kTiny) + "tasks: {one: {}, two: {}}\n");
  const auto registry = Registry::open({folder.path()});
  ASSERT_TRUE(registry.ok()) << registry.status().message();
  const Status unknown = registry->find("nothing").status();
  EXPECT_EQ(unknown.code(), Code::kNotFound);
  EXPECT_EQ(unknown.message(),
            "benchmark \"nothing\" is not in the registry; allowed: suite, tiny");
  EXPECT_EQ(registry->find("tinny").status().message(),
            "benchmark \"tinny\" is not in the registry; did you mean tiny?");
  EXPECT_THAT(registry->find("suite/three").status().message(), HasSubstr("suite/one, suite/two"));
}

TEST(Registry, NamesTheFileAtFault) {
  const TempFolder folder;
  EXPECT_EQ(Registry::open({folder.path() / "none"}).status().code(), Code::kNotFound);
  write_benchmark(folder.path() / "bad.yaml", "about: [");
  EXPECT_THAT(Registry::open({folder.path()}).status().message(),
              HasSubstr("bad.yaml: line 1, column"));
}

}  // namespace
}  // namespace prefixmem::client
