#include "worker/agent/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;

ParsedOptions parse(std::vector<std::string> words) {
  words.insert(words.begin(), "pmt-worker");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

TEST(Options, HaveDefaults) {
  const auto options = parse({"--work-dir=/w"}).options;
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->work_dir, "/w");
  EXPECT_EQ(options->coordinator, "127.0.0.1:7070");
  EXPECT_EQ(options->metrics, "127.0.0.1:0");
  EXPECT_EQ(options->slots, 0);
}

TEST(Options, TakeEveryFlag) {
  const auto options = parse({"--coordinator=c:1", "--work-dir=/w",
                              "--metrics=m:2",     "--slots=3",
                              "--device=cpu",      "--threads-per-rank=4",
                              "--trainer=/t",      "--mpirun=/m",
                              "--ready-file=/r",   "--metrics-retention-seconds=5",
                              "--log-level=debug", "--tls-ca=/ca",
                              "--tls-cert=/crt",   "--tls-key=/key",
                              "--root=a=/r/a",     "--root=b=/r/b",
                              "--cache-limit=3GB", "--min-free-disk=5GB",
                              "--cache=/c",        "--hub=https://h",
                              "--hub-allow=org",   "--hub-allow=org/name"})
                           .options;
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->coordinator, "c:1");
  EXPECT_EQ(options->metrics, "m:2");
  EXPECT_EQ(options->slots, 3);
  EXPECT_EQ(options->device, "cpu");
  EXPECT_EQ(options->threads_per_rank, 4);
  EXPECT_EQ(options->trainer, "/t");
  EXPECT_EQ(options->mpirun, "/m");
  EXPECT_EQ(options->ready_file, "/r");
  EXPECT_EQ(options->metrics_retention_seconds, 5);
  EXPECT_EQ(options->log_level, "debug");
  EXPECT_EQ(options->tls.ca, "/ca");
  EXPECT_EQ(options->tls.cert, "/crt");
  EXPECT_EQ(options->tls.key, "/key");
  EXPECT_EQ(options->roots, (std::vector<std::string>{"a=/r/a", "b=/r/b"}));
  EXPECT_EQ(options->cache_limit_bytes, int64_t{3} << 30);
  EXPECT_EQ(options->cache, "/c");
  EXPECT_EQ(options->hub, "https://h");
  EXPECT_EQ(options->hub_allow, (std::vector<std::string>{"org", "org/name"}));
  EXPECT_EQ(options->least_free_bytes, int64_t{5} << 30);
}

TEST(Options, AWrongLineEndsWithTwoAndNamesTheFlag) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> lines = {
      {{}, "--work-dir"},
      {{"--work-dir=/w", "--slots=many"}, "--slots"},
      {{"--work-dir=/w", "--device=tpu"}, "--device"},
      {{"--work-dir=/w", "--slotz=1"}, "--slotz"}};
  for (const auto& [words, name] : lines) {
    testing::internal::CaptureStderr();
    const ParsedOptions parsed = parse(words);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(name));
    EXPECT_FALSE(parsed.options.has_value());
    EXPECT_EQ(parsed.exit_code, 2);
  }
}

TEST(Options, HelpEndsWithZero) {
  testing::internal::CaptureStdout();
  const ParsedOptions parsed = parse({"--help"});
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("--ready-file"));
  EXPECT_FALSE(parsed.options.has_value());
  EXPECT_EQ(parsed.exit_code, 0);
}

}  // namespace
}  // namespace prefixmem::agent
