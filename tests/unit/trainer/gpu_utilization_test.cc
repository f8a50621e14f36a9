#include <gtest/gtest.h>

#include <cstdlib>

#include "worker/trainer/train/memory.h"

namespace prefixmem::trainer {
namespace {

double utilization(int index) {
  return device_utilization(torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(index)));
}

// The driver's library says 25 % of the first GPU, GPU-a1, and 50 % of the second, GPU-b2.
TEST(DeviceUtilization, IsThatOfTheGpuWhichCudaSees) {
  unsetenv("CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(utilization(1), 0.5);
  setenv("CUDA_VISIBLE_DEVICES", "GPU-b2,GPU-a1", 1);
  EXPECT_EQ(utilization(0), 0.5);
  EXPECT_EQ(utilization(1), 0.25);
}

TEST(DeviceUtilization, IsUnknownWhereTheGpuIs) {
  setenv("CUDA_VISIBLE_DEVICES", "GPU-b2,GPU-c3", 1);
  EXPECT_EQ(utilization(1), -1);
  EXPECT_EQ(utilization(2), -1);
  setenv("CUDA_VISIBLE_DEVICES", "1,0", 1);
  EXPECT_EQ(utilization(0), -1);
  EXPECT_EQ(device_utilization(torch::kCPU), -1);
}

}  // namespace
}  // namespace prefixmem::trainer
