#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/agent/devices/devices.h"

namespace prefixmem::agent {
namespace {

TEST(ListGpus, NamesTheDriversGpusByUuid) {
  const auto gpus = list_gpus("/nowhere");
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0].id + " " + gpus[0].name, "GPU-a1 NVIDIA H200");
  EXPECT_EQ(gpus[1].id + " " + gpus[1].name, "GPU-b2 NVIDIA H100");
  HostDevices host;
  host.gpus = gpus;
  const WorkerDevice device = *choose_device("auto", host);
  EXPECT_EQ(device.memory_of_rank(2), int64_t{80} << 30) << "of the smaller one";
  EXPECT_EQ(device.memory_of_rank(3), int64_t{40} << 30) << "two of them share it";
}

}  // namespace
}  // namespace prefixmem::agent
