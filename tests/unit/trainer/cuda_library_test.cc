#include "worker/trainer/collective/cuda.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <gtest/gtest.h>

#include "worker/trainer/collective/nccl_library.h"

namespace prefixmem::trainer {
namespace {

// With the driver of fake_driver.cc. One test, for what is loaded stays.
TEST(Cuda, IsLoadedWhereThereIsADriverAndOnlyWhenAskedFor) {
  EXPECT_FALSE(c10::impl::hasDeviceGuardImpl(c10::kCUDA));
  const auto gpus = count_gpus();
  ASSERT_TRUE(gpus.ok()) << gpus.status().message();
  EXPECT_EQ(*gpus, 0);
  EXPECT_TRUE(c10::impl::hasDeviceGuardImpl(c10::kCUDA));
  EXPECT_EQ(*count_gpus(), 0);
}

TEST(Cuda, TheDriverKnowsWhatAGpuIsCalled) {
  EXPECT_EQ(gpu_name({torch::kCUDA, 0}), "NVIDIA H200");
  EXPECT_EQ(gpu_name({torch::kCUDA, 1}), "unknown GPU");
}

TEST(Nccl, HasEveryCall) {
  const auto nccl = NcclLibrary::load();
  ASSERT_TRUE(nccl.ok()) << nccl.status().message();
  EXPECT_STREQ(nccl->get_error_string(ncclSuccess), "no error");
}

}  // namespace
}  // namespace prefixmem::trainer
