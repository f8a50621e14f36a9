#include "common/spec/paths.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace prefixmem::spec {
namespace {

std::vector<std::string> named_by(const char* yaml) {
  Tree tree = *parse_tree(yaml);
  std::vector<std::string> named;
  EXPECT_TRUE(each_path(tree, [&](std::string_view key, Tree& value) {
                named.push_back(std::string(key) + " " + value.scalar);
                return Status();
              }).ok());
  return named;
}

using Named = std::vector<std::string>;

TEST(EachPath, VisitsWhatTheSpecItselfNames) {
  EXPECT_EQ(named_by("{model: m, data: {train: t, validation: v, eval: e, template: x},"
                     " train: {continue_from: c}, eval: {data: {eval: o}},"
                     " method: {type: lora, init: i}, name: n}"),
            (Named{"model m", "data.train t", "data.validation v", "data.eval e",
                   "train.continue_from c", "eval.data.eval o", "method.init i"}));
}

TEST(EachPath, VisitsTheValuesOfASweep) {
  EXPECT_EQ(named_by("sweep: {grid: {model: [a, b], data: [{train: t}]},"
                     " trials: [{data.eval: e, method: [{type: lora, init: i}]}],"
                     " space: {data.train: [x, y]}, tune_on: {model: [a]}}"),
            (Named{"model a", "model b", "data.train t", "data.eval e", "method.init i",
                   "data.train x", "data.train y", "model a"}));
}

TEST(EachPath, LeavesOutWhatIsEmptyOrNoScalar) {
  EXPECT_EQ(named_by("{model: \"\", data: {train: [t], eval: null}, method: lora}"), Named{});
}

TEST(EachPath, EndsWithTheFirstFailure) {
  Tree tree = *parse_tree("{model: m, data: {train: t}}");
  int visits = 0;
  const Status status = each_path(tree, [&](std::string_view key, Tree&) {
    ++visits;
    return not_found(std::string(key));
  });
  EXPECT_EQ(status.message(), "model");
  EXPECT_EQ(visits, 1);
}

TEST(EachPath, MayReplaceValues) {
  Tree tree = *parse_tree("data: {train: t}");
  ASSERT_TRUE(each_path(tree, [](std::string_view, Tree& value) {
                value = Tree::text("/rows/" + value.scalar);
                return Status();
              }).ok());
  EXPECT_EQ(print_tree(tree), "data:\n  train: /rows/t\n");
}

}  // namespace
}  // namespace prefixmem::spec
