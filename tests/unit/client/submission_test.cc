#include "client/submission/submission.h"

#include <gtest/gtest.h>

namespace prefixmem::client {
namespace {

Result<std::vector<BenchmarkSettings>> no_benchmarks(const std::string& name) {
  return not_found("there is no " + name);
}

std::string prepared(std::string_view yaml, const std::vector<std::string>& settings = {}) {
  const auto text = prepare_submission(yaml, "/specs", settings, "/here", no_benchmarks);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? *text : "";
}

std::string refusal(std::string_view yaml, const std::vector<std::string>& settings = {}) {
  const Status status =
      prepare_submission(yaml, "/specs", settings, "/here", no_benchmarks).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  return status.message();
}

TEST(Submission, MakesRelativePathsAbsolute) {
  EXPECT_EQ(prepared("model: ../m\n"
                     "data: {train: a/./b.jsonl, eval: /c.jsonl, template: x/y}\n"
                     "name: a/b\n"),
            "model: /m\n"
            "data:\n"
            "  train: /specs/a/b.jsonl\n"
            "  eval: /c.jsonl\n"
            "  template: x/y\n"
            "name: a/b\n");
}

TEST(Submission, MakesTheInitOfEveryMethodAbsolute) {
  EXPECT_EQ(prepared("method: {type: lora, init: a, init_text: b}"),
            "method:\n  type: lora\n  init: /specs/a\n  init_text: b\n");
  for (const char* yaml : {"method: [prefix_memory, {type: lora, init: a}]",
                           "method: {type: combined, methods: [{type: lora, init: a}]}",
                           "sweep: {grid: {method: [{type: lora, init: a}]}}",
                           "sweep: {grid: {method: [[prefix_memory, {type: lora, init: a}]]}}",
                           "sweep: {space: {method: [{type: lora, init: a}]}}",
                           "sweep: {space: {method: {type: choice, values: [{init: a}]}}}",
                           "sweep: {space: {x: {type: int, when: {method: [{init: a}]}}}}",
                           "sweep: {trials: [{method.init: a}]}"}) {
    EXPECT_NE(prepared(yaml).find("init: /specs/a"), std::string::npos) << prepared(yaml);
  }
  EXPECT_NE(prepared("", {"method.init=x"}).find("init: /here/x"), std::string::npos);
}

TEST(Submission, MakesTheFileOfOtherHeldOutRowsAbsolute) {
  EXPECT_EQ(prepared("eval: {mode: loss, data: {eval: e}}"),
            "eval:\n  mode: loss\n  data:\n    eval: /specs/e\n");
  EXPECT_NE(prepared("", {"eval.data.eval=x"}).find("eval: /here/x"), std::string::npos);
}

TEST(Submission, BenchmarksAreLookedUp) {
  const Status status =
      prepare_submission("benchmark: x", "/specs", {}, "/here", no_benchmarks).status();
  EXPECT_EQ(status.message(), "benchmark: there is no x");
}

TEST(Submission, AnEmptyPathStaysEmpty) {
  EXPECT_EQ(prepared("data: {eval: \"\"}"), "data:\n  eval: \"\"\n");
  EXPECT_EQ(prepared("data: {eval: null}").find("/specs"), std::string::npos);
}

TEST(Submission, MakesThePathsOfASweepAbsolute) {
  const std::string text = prepared(
      "sweep:\n"
      "  grid: {model: [m1, /m2], data: [{train: t, format: messages}], name: [n]}\n"
      "  trials: [{data.train: rows, data: {eval: e}, train.seed: 3}]\n");
  for (const char* path :
       {"[/specs/m1, /m2]", "{train: /specs/t,", "data.train: /specs/rows,", "{eval: /specs/e}"}) {
    EXPECT_NE(text.find(path), std::string::npos) << path << " in\n" << text;
  }
  EXPECT_EQ(text.find("/specs/n"), std::string::npos) << text;
}

TEST(Submission, SettingsGoOverTheFile) {
  const std::string text = prepared("method: lora\ntrain: {seed: 1}\n",
                                    {"train.seed=2", "method.r=4", "labels={team: x}", "name=a=b"});
  EXPECT_EQ(text,
            "method:\n"
            "  type: lora\n"
            "  r: 4\n"
            "train:\n"
            "  seed: 2\n"
            "labels:\n"
            "  team: x\n"
            "name: \"a=b\"\n");
}

TEST(Submission, PathsOfSettingsAreRelativeToTheWorkingFolder) {
  const std::string text = prepared(
      "model: m", {"data.train=rows", "data={eval: e}", "model=n", "sweep.grid={model: [g]}"});
  EXPECT_NE(text.find("model: /here/n"), std::string::npos) << text;
  EXPECT_NE(text.find("/here/e"), std::string::npos) << text;
  EXPECT_NE(text.find("/here/g"), std::string::npos) << text;
}

TEST(Submission, LeavesWhatIsNoSpecToTheCoordinator) {
  EXPECT_EQ(prepared("model: [1, 2]\nsweep: 3\ndata: x\n"), "model: [1, 2]\nsweep: 3\ndata: x\n");
  EXPECT_EQ(prepared("", {"train.seed=1"}), "train:\n  seed: 1\n");
}

TEST(Submission, RefusesWhatIsNoYaml) {
  EXPECT_NE(refusal("a: [").find("line"), std::string::npos);
  EXPECT_EQ(refusal("[1]"), "the spec is no map of keys");
  EXPECT_EQ(refusal("a: 1", {"seed"}), "--set is \"seed\"; allowed: PATH=VALUE, e.g. train.seed=1");
  EXPECT_EQ(refusal("a: 1", {"=1"}), "--set is \"=1\"; allowed: PATH=VALUE, e.g. train.seed=1");
  EXPECT_EQ(refusal("a: 1", {"a..b=1"}),
            "--set: path \"a..b\" has an empty part; allowed: keys with dots between");
  EXPECT_NE(refusal("a: 1", {"train.seed=["}).find("--set: train.seed: "), std::string::npos);
}

}  // namespace
}  // namespace prefixmem::client
