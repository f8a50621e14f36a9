#include "common/spec/override.h"

#include <gtest/gtest.h>

#include "common/spec/spec_io.h"

namespace prefixmem::spec {
namespace {

Tree tree_of(std::string_view yaml) {
  auto tree = parse_tree(yaml);
  EXPECT_TRUE(tree.ok()) << tree.status().message();
  return tree.ok() ? std::move(tree).value() : Tree();
}

std::string filled(std::string_view yaml, std::string_view defaults) {
  Tree tree = tree_of(yaml);
  fill_in(tree_of(defaults), tree);
  return print_flow(tree);
}

TEST(FillIn, AddsWhatIsNotThere) {
  EXPECT_EQ(filled("{a: 1}", "{a: 2, b: 3}"), "{a: 1, b: 3}");
  EXPECT_EQ(filled("{a: {b: 1}}", "{a: {b: 2, c: 3}, d: {e: 4}}"), "{a: {b: 1, c: 3}, d: {e: 4}}");
}

TEST(FillIn, LeavesWhatIsGiven) {
  EXPECT_EQ(filled("{a: null, b: [1], c: x}", "{a: {d: 1}, b: [2, 3], c: {d: 1}}"),
            "{a: null, b: [1], c: x}");
  EXPECT_EQ(filled("{a: {type: dpo}}", "{a: {type: simpo, gamma: 1}}"), "{a: {type: dpo}}");
  EXPECT_EQ(filled("{a: {type: dpo}}", "{a: {type: dpo, beta: 1}}"), "{a: {type: dpo, beta: 1}}");
}

TEST(Override, OfABenchmarkGoesOverTheKeysBesideIt) {
  Tree tree = tree_of("{name: a, data: {eval: old, max_tokens: 9}, objective: {type: sft}}");
  const Status status = apply_override(
      {"benchmark", "{name: b, data: {eval: new, format: text_label}, objective: dpo}"}, tree);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(tree.find("benchmark")->scalar, "b");
  EXPECT_EQ(tree.find("name")->scalar, "a");
  EXPECT_EQ(print_flow(*tree.find("data")), "{eval: new, format: text_label, max_tokens: 9}");
  EXPECT_EQ(tree.find("objective")->scalar, "dpo");
}

TEST(Override, OfAnEvaluationsBenchmarkStaysInEval) {
  Tree tree = tree_of("{eval: {seed: 3}}");
  ASSERT_TRUE(apply_override({"eval.benchmark", "{name: b, mode: generate}"}, tree).ok());
  EXPECT_EQ(print_flow(tree), "{eval: {benchmark: b, mode: generate, seed: 3}}");
  ASSERT_TRUE(apply_override({"eval.benchmark", "c"}, tree).ok());
  EXPECT_EQ(tree.find("eval")->find("benchmark")->scalar, "c");
}

TEST(Override, ATrialIsLabelledWithItsBenchmarksName) {
  const auto spec = parse_job_spec(
      "name: a\nmodel: /m\nmethod: none\n"
      "sweep: {grid: {benchmark: [{name: b, data: {eval: e1}}, {name: c, data: {eval: e2}}]}}");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const auto trials = expand_sweep(*spec);
  ASSERT_TRUE(trials.ok()) << trials.status().message();
  ASSERT_EQ(trials->size(), 2U);
  EXPECT_EQ((*trials)[1].labels.at("sweep.benchmark"), "c");
  EXPECT_EQ((*trials)[1].benchmark, "c");
  EXPECT_EQ((*trials)[1].data.eval, "e2");
}

}  // namespace
}  // namespace prefixmem::spec
