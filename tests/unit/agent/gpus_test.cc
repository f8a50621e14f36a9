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
}

}  // namespace
}  // namespace prefixmem::agent
