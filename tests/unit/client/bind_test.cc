// Benchmarks in specs.
#include "client/benchmarks/bind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::client {
namespace {

using spec::Tree;
using ::testing::HasSubstr;

Tree tree_of(const std::string& yaml) {
  auto tree = spec::parse_tree(yaml);
  EXPECT_TRUE(tree.ok()) << tree.status().message();
  return tree.ok() ? std::move(tree).value() : Tree();
}

BenchmarkSettings settings(const std::string& name) {
  return {name,
          tree_of("{data: {train: /" + name + "/t, eval: /" + name +
                  "/e, template: x}, objective: dpo, eval: {mode: generate, stop: [y]}}"),
          tree_of("{mode: generate, stop: [y], data: {eval: /" + name + "/e, template: x}}")};
}

// Benchmarks a and b, and the suite s of s/1 and s/2.
Result<std::vector<BenchmarkSettings>> find(const std::string& name) {
  if (name == "s") return std::vector{settings("s/1"), settings("s/2")};
  if (name == "a" || name == "b" || name == "s/1") return std::vector{settings(name)};
  return not_found("there is no " + name);
}

std::string bound(const std::string& yaml) {
  Tree tree = tree_of(yaml);
  const Status status = bind_benchmarks(find, tree);
  EXPECT_TRUE(status.ok()) << status.message();
  return print_flow(tree);
}

std::string refusal(const std::string& yaml) {
  Tree tree = tree_of(yaml);
  return bind_benchmarks(find, tree).message();
}

TEST(Bind, PutsSettingsBeneathTheSpecs) {
  EXPECT_EQ(bound("{benchmark: a, data: {template: mine}, objective: {type: simpo}}"),
            "{benchmark: a, data: {template: mine, train: /a/t, eval: /a/e}, objective: {type: "
            "simpo}, eval: {mode: generate, stop: [y]}}");
}

TEST(Bind, ASpecWithoutOneStaysAsItIs) {
  for (const char* yaml : {"{data: {train: t}}", "{benchmark: [a], eval: 3}",
                           "{sweep: {grid: {train.seed: [1, 2]}, trials: [{name: x}]}}"}) {
    EXPECT_EQ(bound(yaml), yaml);
  }
}

TEST(Bind, AnEvaluationMayHaveAnother) {
  EXPECT_EQ(bound("{data: {train: t}, eval: {benchmark: b, seed: 1}}"),
            "{data: {train: t}, eval: {benchmark: b, seed: 1, mode: generate, stop: [y], data: "
            "{eval: /b/e, template: x}}}");
  EXPECT_EQ(
      bound("{benchmark: a, eval: {benchmark: b, mode: loss, stop: []}}"),
      "{benchmark: a, eval: {benchmark: b, mode: loss, stop: [], data: {eval: /b/e, template: "
      "x}}, data: {train: /a/t, eval: /a/e, template: x}, objective: dpo}");
}

TEST(Bind, AGridHoldsTheSettingsOfEach) {
  EXPECT_EQ(
      bound("{data: {template: mine}, eval: {mode: loss}, sweep: {grid: {benchmark: [a, s]}}}"),
      "{data: {template: mine}, eval: {mode: loss}, sweep: {grid: {benchmark: ["
      "{name: a, data: {train: /a/t, eval: /a/e}, objective: dpo, eval: {stop: [y]}}, "
      "{name: s/1, data: {train: /s/1/t, eval: /s/1/e}, objective: dpo, eval: {stop: [y]}}, "
      "{name: s/2, data: {train: /s/2/t, eval: /s/2/e}, objective: dpo, eval: {stop: [y]}}"
      "]}}}");
  EXPECT_THAT(bound("{sweep: {grid: {eval.benchmark: [a]}}}"),
              HasSubstr("[{name: a, mode: generate, stop: [y], data: {eval: /a/e, template: x}}]"));
  EXPECT_THAT(
      bound("{sweep: {grid: {eval: [{benchmark: a, mode: loss}]}}}"),
      HasSubstr("[{benchmark: a, mode: loss, stop: [y], data: {eval: /a/e, template: x}}]"));
}

TEST(Bind, TrialsLikewise) {
  const std::string text =
      bound("{sweep: {trials: [{benchmark: a}, {eval.benchmark: b}, {eval: {benchmark: b}}]}}");
  EXPECT_THAT(text, HasSubstr("{benchmark: {name: a, data: {train: /a/t,"));
  EXPECT_THAT(text, HasSubstr("{eval.benchmark: {name: b, mode: generate,"));
  EXPECT_THAT(text, HasSubstr("{eval: {benchmark: b, mode: generate,"));
}

TEST(Bind, ASuiteIsASweepOverItsTasks) {
  EXPECT_EQ(bound("{benchmark: s, sweep: {grid: {train.seed: [1]}}}"),
            bound("{sweep: {grid: {train.seed: [1], benchmark: [s]}}}"));
  EXPECT_THAT(bound("{benchmark: s}"), HasSubstr("{name: s/2, "));
}

TEST(Bind, RefusesWhatIsNoOneBenchmark) {
  EXPECT_EQ(refusal("{benchmark: c}"), "benchmark: there is no c");
  EXPECT_EQ(refusal("{sweep: {grid: {benchmark: [a, c]}}}"), "sweep.grid.benchmark: there is no c");
  EXPECT_EQ(refusal("{eval: {benchmark: s}}"),
            "eval.benchmark is the suite \"s\"; allowed: one of its tasks, as s/1; all of them in "
            "sweep.grid");
  EXPECT_EQ(refusal("{sweep: {trials: [{}, {benchmark: s}]}}"),
            "sweep.trials[1].benchmark is the suite \"s\"; allowed: one of its tasks, as s/1; all "
            "of them in sweep.grid");
  EXPECT_EQ(refusal("{benchmark: s, sweep: {grid: {benchmark: [a]}}}"),
            "benchmark is the suite \"s\" and sweep.grid.benchmark is given too; allowed: one of "
            "them");
}

TEST(Bind, ASearchForEachBenchmarkIsOfTheGrid) {
  EXPECT_EQ(
      bound("{data: {template: x}, sweep: {grid: {benchmark: [s]}, tune_on: {benchmark: [s/1]}, "
            "space: {train.learning_rate: [1]}}}"),
      "{data: {template: x}, sweep: {grid: {benchmark: [{name: s/1, data: {train: /s/1/t, "
      "eval: /s/1/e}, objective: dpo, eval: {mode: generate, stop: [y]}}, {name: s/2, data: "
      "{train: /s/2/t, eval: /s/2/e}, objective: dpo, eval: {mode: generate, stop: [y]}}]}, "
      "tune_on: {benchmark: [s/1]}, space: {train.learning_rate: [1]}}}");
  EXPECT_EQ(refusal("{sweep: {space: {benchmark: [a]}}}"),
            "sweep.space.benchmark is given; allowed: sweep.grid.benchmark, each of whose "
            "benchmarks has a search of its own");
}

}  // namespace
}  // namespace prefixmem::client
