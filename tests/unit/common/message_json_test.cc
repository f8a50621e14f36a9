#include "common/proto/message_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(MessageJson, IsOneLineOfTheApisNames) {
  v1::Job job;
  job.set_name("a\nb</script>");
  job.mutable_progress()->set_tokens(int64_t{1} << 60);
  const auto text = message_json(job);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, AllOf(HasSubstr("\"name\":\"a\\nb"), HasSubstr("\"sweep_id\":\"\""),
                           HasSubstr("\"tokens\":\"1152921504606846976\""), Not(HasSubstr("\n"))));
}

TEST(MessageJson, IsIndentedWhereAskedFor) {
  v1::Job job;
  job.set_name("a");
  const auto text = message_json(job, true);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, AllOf(testing::StartsWith("{\n"), HasSubstr("\n \"name\": \"a\"")));
}

TEST(MessageJson, ATimeThatNoCalendarHasIsRefused) {
  v1::Job job;
  job.mutable_create_time()->set_seconds(int64_t{1} << 60);
  const auto text = message_json(job);
  EXPECT_EQ(text.status().code(), Code::kInternal);
  EXPECT_THAT(text.status().message(), HasSubstr("prefixmem.v1.Job cannot be written as JSON"));
}

}  // namespace
}  // namespace prefixmem
