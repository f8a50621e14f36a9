#include "coordinator/audit/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <sstream>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AuditLogTest : public testing::Test {
 protected:
  std::unique_ptr<AuditLog> open(const AuditLimits& limits = {}) {
    auto log =
        AuditLog::open(file_, [this](const Status& why) { failures_.push_back(why); }, limits);
    EXPECT_TRUE(log.ok()) << log.status().message();
    return std::move(log).value();
  }
  AuditEntry entry(const std::string& job) const {
    return {clock_.wall(),
            {{"token", "token-a"}},
            "prefixmem.v1.JobService/CancelJob",
            {{"job", job}},
            "OK",
            ""};
  }
  // The jobs named in a file, in order.
  static std::vector<std::string> jobs(const std::filesystem::path& file) {
    std::vector<std::string> found;
    std::istringstream lines(*read_file(file));
    for (std::string line; std::getline(lines, line);) {
      found.push_back(nlohmann::json::parse(line)["what"]["job"]);
    }
    return found;
  }

  const TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "audit.jsonl";
  const FakeClock clock_;
  std::vector<Status> failures_;
};

TEST_F(AuditLogTest, ALineSaysWhoWhatWhenAndTheOutcome) {
  open()->append(entry("job-a"));
  EXPECT_EQ(*read_file(file_),
            "{\"time\":\"2026-01-01T00:00:00.000Z\",\"who\":{\"token\":\"token-a\"},"
            "\"method\":\"prefixmem.v1.JobService/CancelJob\",\"what\":{\"job\":\"job-a\"},"
            "\"code\":\"OK\",\"message\":\"\"}\n");
  struct stat info{};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditLogTest, ARestartGoesOnWithTheFile) {
  open()->append(entry("a"));
  open()->append(entry("b"));
  EXPECT_THAT(jobs(file_), ElementsAre("a", "b"));
}

TEST_F(AuditLogTest, TextThatIsNoUtf8IsWrittenAllTheSame) {
  const auto log = open();
  log->append(entry("\xff\n"));
  EXPECT_THAT(jobs(file_), ElementsAre("\xef\xbf\xbd\n"));
}

TEST_F(AuditLogTest, FilesAreBoundedAndTheOldestGoes) {
  const auto line = static_cast<int64_t>([this] {
    open()->append(entry("0"));
    return read_file(file_)->size();
  }());
  const auto log = open({.file_bytes = 2 * line, .files = 3});
  for (const char* job : {"1", "2", "3", "4", "5", "6"}) log->append(entry(job));
  EXPECT_THAT(jobs(file_), ElementsAre("6"));
  EXPECT_THAT(jobs(file_.string() + ".1"), ElementsAre("4", "5"));
  EXPECT_THAT(jobs(file_.string() + ".2"), ElementsAre("2", "3"));
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".3"));
  EXPECT_THAT(failures_, testing::IsEmpty());
}

TEST_F(AuditLogTest, ALineThatCannotBeWrittenIsAFailureOnce) {
  std::filesystem::create_symlink("/dev/full", file_);
  const auto log = open();
  log->append(entry("a"));
  log->append(entry("b"));
  ASSERT_EQ(failures_.size(), 1u);
  EXPECT_EQ(failures_[0].code(), Code::kResourceExhausted);
  EXPECT_THAT(failures_[0].message(), HasSubstr("the audit log does not take a line: writing"));
}

}  // namespace
}  // namespace prefixmem
