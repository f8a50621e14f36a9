#include <gtest/gtest.h>

#include <cstdlib>

#include "common/files.h"
#include "common/spec/spec_io.h"

namespace prefixmem {
namespace {

TEST(JobSpecPage, IsWhatTheSchemaSays) {
  if (std::getenv("PREFIXMEM_UPDATE_DOCS") != nullptr) {
    ASSERT_TRUE(write_file_atomic(JOB_SPEC_PAGE, job_spec_markdown()).ok());
  }
  const auto page = read_file(JOB_SPEC_PAGE);
  ASSERT_TRUE(page.ok()) << page.status().message();
  EXPECT_EQ(*page, job_spec_markdown())
      << "run this test with PREFIXMEM_UPDATE_DOCS=1 to write the page anew";
}

// Every YAML block of the page that is a whole spec is one that we accept.
TEST(JobSpecPage, ItsExampleIsValid) {
  const std::string page = job_spec_markdown();
  const size_t begin = page.find("```yaml\n") + 8;
  const std::string example = page.substr(begin, page.find("```", begin) - begin);
  const auto spec = parse_job_spec(example);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  const size_t sweep_begin = page.find("```yaml\n", begin) + 8;
  const std::string sweep = page.substr(sweep_begin, page.find("```", sweep_begin) - sweep_begin);
  const auto swept = parse_job_spec(example + sweep);
  ASSERT_TRUE(swept.ok()) << swept.status().message();
  const auto trials = expand_sweep(*swept);
  ASSERT_TRUE(trials.ok());
  ASSERT_EQ(trials->size(), 3u);
  EXPECT_EQ((*trials)[2].name, "prefix-memory");
}

}  // namespace
}  // namespace prefixmem
