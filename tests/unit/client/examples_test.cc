// The specs of docs/examples, with the benchmarks of the shipped registry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "client/benchmarks/registry.h"
#include "client/benchmarks/settings.h"
#include "client/submission/submission.h"
#include "common/files.h"
#include "common/spec/search_scope.h"
#include "common/spec/spec_io.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using testing::SizeIs;

// As `pmt submit` reads it where every benchmark is prepared.
Result<JobSpec> submitted(const fs::path& file) {
  PM_ASSIGN(const Registry registry, Registry::open({SHIPPED_BENCHMARKS}));
  const auto find = [&](const std::string& name) -> Result<std::vector<BenchmarkSettings>> {
    PM_ASSIGN(const auto benchmarks, registry.find(name));
    std::vector<BenchmarkSettings> found;
    for (const Benchmark* one : benchmarks) found.push_back(settings_of(*one, "/data"));
    return found;
  };
  PM_ASSIGN(const std::string text, read_file(file, spec::kMaxBytes));
  PM_ASSIGN(const std::string yaml,
            prepare_submission(text, file.parent_path(), {}, file.parent_path(), find));
  return parse_job_spec(yaml);
}

TEST(Examples, AreAllAccepted) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(EXAMPLES)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto spec = submitted(entry.path());
    EXPECT_TRUE(spec.ok()) << entry.path() << ": " << spec.status().message();
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Examples, ThePapersTableHasOneSearchForEachMethod) {
  const auto spec = submitted(fs::path(EXAMPLES) / "paper-table.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const auto combinations = spec::combinations_of(*spec->sweep);
  ASSERT_TRUE(combinations.ok());
  const auto scopes = spec::scopes_of(*spec->sweep, *combinations);
  ASSERT_TRUE(scopes.ok()) << scopes.status().message();
  ASSERT_THAT(*scopes, SizeIs(6));
  EXPECT_TRUE(scopes->front().space.empty()) << "there is nothing to choose for the untuned model";
  for (const spec::Scope& scope : *scopes) {
    EXPECT_THAT(scope.combinations, SizeIs(9));
    EXPECT_THAT(scope.tuned_on, SizeIs(2));
  }
  const size_t tuned = scopes->back().combinations.front();
  const Setting chosen = {{"train.learning_rate", "1e-3"}};
  const auto search = make_trial(
      *spec, spec::whole_setting(*spec->sweep, combinations->at(tuned), chosen, false), 1, 100);
  ASSERT_TRUE(search.ok()) << search.status().message();
  EXPECT_EQ(search->benchmark, "banking77");
  EXPECT_EQ(search->eval.split, EvalSplit::kValidation);
  EXPECT_EQ(search->data.holdout->rows, 40);
  EXPECT_EQ(search->data.few_shot->seed, 100);
  EXPECT_EQ(search->train.seed, 100);
  const auto test = make_trial(
      *spec, spec::whole_setting(*spec->sweep, combinations->at(tuned + 1), chosen, true), 2, 4);
  ASSERT_TRUE(test.ok()) << test.status().message();
  EXPECT_EQ(test->benchmark, "goemotions");
  EXPECT_EQ(test->eval.split, EvalSplit::kTest);
  EXPECT_EQ(test->data.eval, "/data/goemotions/test.jsonl");
  EXPECT_EQ(test->data.validation, "/data/goemotions/dev.jsonl");
}

}  // namespace
}  // namespace prefixmem::client
