#include "worker/agent/gang/output_log.h"

#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/gang/line_buffer.h"

namespace prefixmem::agent {
namespace {

using Lines = std::vector<std::string>;

TEST(LineBuffer, JoinsWhatComesInPieces) {
  LineBuffer buffer(100);
  EXPECT_EQ(buffer.add("on"), Lines{});
  EXPECT_EQ(buffer.add("e\n\ntwo\nthr"), (Lines{"one", "", "two"}));
  EXPECT_EQ(buffer.take_rest(), "thr");
  EXPECT_EQ(buffer.take_rest(), "");
}

TEST(LineBuffer, CutsALineThatIsTooLong) {
  LineBuffer buffer(4);
  EXPECT_EQ(buffer.add("abcdefgh"), (Lines{"abcd", "efgh"}));
  EXPECT_EQ(buffer.add("ij\n"), (Lines{"ij"}));
}

class OutputLogTest : public testing::Test {
 protected:
  OutputLog make(int64_t most_bytes = 1 << 20) { return *OutputLog::create(file_, most_bytes); }

  const TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "stderr.log";
};

TEST_F(OutputLogTest, KeepsTheLast200LinesAndTheWholeFile) {
  OutputLog log = make();
  std::string all, tail;
  for (int i = 1; i <= 250; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    all += line;
    if (i > 50) tail += line;
  }
  ASSERT_TRUE(log.add(all).ok());
  log.finish();
  EXPECT_EQ(log.tail(), tail);
  EXPECT_EQ(*read_file(file_), all);
}

TEST_F(OutputLogTest, AnUnfinishedLineCountsInTheEnd) {
  OutputLog log = make();
  ASSERT_TRUE(log.add("a\nb").ok());
  EXPECT_EQ(log.tail(), "a\n");
  log.finish();
  EXPECT_EQ(log.tail(), "a\nb\n");
}

TEST_F(OutputLogTest, TheFileIsBoundedTheTailGoesOn) {
  OutputLog log = make(6);
  ASSERT_TRUE(log.add("12345\n").ok());
  ASSERT_TRUE(log.add("last\n").ok());
  EXPECT_EQ(*read_file(file_), "12345\n");
  EXPECT_EQ(log.tail(), "12345\nlast\n");
}

TEST_F(OutputLogTest, TheTailIsText) {
  OutputLog log = make();
  ASSERT_TRUE(log.add("gut: \xc3\xa9\nschlecht: \xff\n").ok());
  EXPECT_EQ(log.tail(), "gut: \xc3\xa9\nschlecht: ?\n");
}

TEST(OutputLog, NeedsItsFolder) {
  EXPECT_EQ(OutputLog::create("/nowhere/log").status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace prefixmem::agent
