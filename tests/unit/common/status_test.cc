#include "common/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace prefixmem {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0)
    return invalid_argument("n is " + std::to_string(n) + "; allowed: an even number");
  return n / 2;
}

Result<int> quarter(int n) {
  PM_ASSIGN(const int h, half(n));
  return half(h);
}

Status check(int n) {
  PM_TRY(quarter(n).status());
  return Status();
}

TEST(Status, PassesFailuresOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(check(6).code(), Code::kInvalidArgument);
  EXPECT_EQ(check(6).with_context("checking").message(),
            "checking: n is 3; allowed: an even number");
  EXPECT_TRUE(check(4).ok());
}

TEST(Status, EveryCodeHasANameAndAnExitCode) {
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    const Code code = static_cast<Code>(i);
    EXPECT_EQ(code_from_name(code_name(code)), code);
    EXPECT_EQ(code_from_exit(exit_code(Status(code, "x"))), code);
  }
  EXPECT_EQ(code_from_exit(1), std::nullopt);
  EXPECT_EQ(code_from_exit(139), std::nullopt);
}

TEST(Status, FromErrno) {
  EXPECT_EQ(from_errno("opening x", ENOENT).to_string(),
            "NOT_FOUND: opening x: No such file or directory");
  EXPECT_EQ(from_errno("writing x", ENOSPC).code(), Code::kResourceExhausted);
}

TEST(Status, AFullDiskIsToldFromWhateverElseRunsOut) {
  for (const int full : {ENOSPC, EDQUOT}) {
    const Status told = from_errno("writing x", full).with_context("checkpoint 7");
    EXPECT_TRUE(is_of_full_disk(told));
    EXPECT_FALSE(is_of_full_disk(internal_error(told.message())));
  }
  EXPECT_FALSE(is_of_full_disk(from_errno("mapping x", ENOMEM)));
  EXPECT_FALSE(is_of_full_disk(resource_exhausted("the time limit of 2h is used up")));
  EXPECT_FALSE(is_of_full_disk({}));
}

}  // namespace
}  // namespace prefixmem
