#include "worker/trainer/train/guard.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <new>
#include <stdexcept>

namespace prefixmem::trainer {
namespace {

TEST(Guard, PassesStatusesOn) {
  EXPECT_TRUE(torch_guarded([] { return Status(); }).ok());
  EXPECT_EQ(torch_guarded([] { return not_found("x"); }).code(), Code::kNotFound);
}

TEST(Guard, MemoryIsResourceExhausted) {
  EXPECT_EQ(torch_guarded([]() -> Status { throw std::bad_alloc(); }).code(),
            Code::kResourceExhausted);
  const Status torch_says = torch_guarded([]() -> Status {
    torch::empty({int64_t{1} << 50});
    return {};
  });
  EXPECT_EQ(torch_says.code(), Code::kResourceExhausted) << torch_says.message();
  EXPECT_THAT(torch_says.message(), ::testing::HasSubstr("lower train.micro_batch_tokens"));
}

TEST(Guard, AnythingElseIsInternalInOneLine) {
  const Status status = torch_guarded([]() -> Status {
    torch::zeros({2}).matmul(torch::zeros({3}));
    return {};
  });
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_EQ(status.message().find('\n'), std::string::npos);
  EXPECT_EQ(torch_guarded([]() -> Status { throw std::runtime_error("a\nb"); }).message(),
            "trainer: a");
}

}  // namespace
}  // namespace prefixmem::trainer
