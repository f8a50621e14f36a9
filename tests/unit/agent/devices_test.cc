#include "worker/agent/devices/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const HostDevices kCpuHost{"A CPU", 6, {}};
const HostDevices kGpuHost{"A CPU", 6, {{"GPU-a1", "H200"}, {"GPU-b2", "H100"}}};

std::vector<std::string> ids(const std::vector<Gpu>& gpus) {
  std::vector<std::string> out;
  for (const Gpu& gpu : gpus) out.push_back(gpu.id);
  return out;
}

TEST(ChooseDevice, AutoTakesGpusWhereThereAreSome) {
  const WorkerDevice cpu = *choose_device("auto", kCpuHost);
  EXPECT_EQ(cpu.kind(), "cpu");
  EXPECT_EQ(cpu.default_slots, 6);
  EXPECT_THAT(cpu.names, ElementsAre("A CPU, 6 cores"));
  const WorkerDevice cuda = *choose_device("auto", kGpuHost);
  EXPECT_EQ(cuda.kind(), "cuda");
  EXPECT_EQ(cuda.default_slots, 2);
  EXPECT_THAT(cuda.names, ElementsAre("H200", "H100"));
}

TEST(ChooseDevice, ObeysTheFlag) {
  EXPECT_EQ(choose_device("cpu", kGpuHost)->kind(), "cpu");
  EXPECT_TRUE(choose_device("cpu", kGpuHost)->gpus.empty());
  EXPECT_EQ(choose_device("cuda", kCpuHost).status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(choose_device("tpu", kCpuHost).status().message(),
              HasSubstr("--device is tpu; allowed: auto, cpu, cuda"));
}

TEST(MemoryForJobs, IsWhatIsWantedOrNearlyAllThatThereIs) {
  constexpr int64_t kMiB = 1 << 20;
  EXPECT_EQ(memory_for_jobs(5, 1000 * kMiB), 5);
  EXPECT_EQ(memory_for_jobs(0, 16384 * kMiB), 15360 * kMiB);
  EXPECT_EQ(memory_for_jobs(0, 16385 * kMiB), 15360 * kMiB) << "hosts of one kind are alike";
  EXPECT_EQ(memory_for_jobs(0, 160), 150);
  EXPECT_EQ(memory_for_jobs(0, 0), 0) << "not known";
}

TEST(VisibleGpus, ReadsTheListAsCudaDoes) {
  EXPECT_THAT(ids(visible_gpus(kGpuHost.gpus, "1,0")), ElementsAre("1", "0"));
  EXPECT_THAT(ids(visible_gpus(kGpuHost.gpus, "0,9,1")), ElementsAre("0"));
  EXPECT_THAT(ids(visible_gpus(kGpuHost.gpus, "GPU-b,GPU-a1")), ElementsAre("GPU-b2", "GPU-a1"));
  EXPECT_EQ(visible_gpus(kGpuHost.gpus, "GPU-b").front().name, "H100");
  EXPECT_THAT(ids(visible_gpus(kGpuHost.gpus, "MIG-c")), ElementsAre("MIG-c"));
  EXPECT_TRUE(visible_gpus(kGpuHost.gpus, "").empty());
}

TEST(ListGpus, ReadsTheDriversFilesWhereItsLibraryIsNot) {
  if (!list_gpus("/nowhere").empty()) return;  // this host has the library
  const TempFolder proc;
  const auto add = [&](const std::string& name, const std::string& uuid) {
    const auto folder = proc.path() / "driver/nvidia/gpus" / name;
    ASSERT_TRUE(make_folders(folder).ok());
    const std::string information = "Model: \t NVIDIA X\nIRQ: 1\nGPU UUID: \t " + uuid + "\n";
    ASSERT_TRUE(write_file_atomic(folder / "information", information).ok());
  };
  add("0000:01:00.0", "GPU-8a5");
  add("0000:02:00.0", "GPU-????????");
  const auto gpus = list_gpus(proc.path());
  EXPECT_THAT(ids(gpus), ElementsAre("GPU-8a5", "1"));
  EXPECT_EQ(gpus[0].name, "NVIDIA X");
}

TEST(FindDevices, ThisHostHasACore) {
  EXPECT_GE(find_devices().cores, 1);
  EXPECT_FALSE(find_devices().cpu_name.empty());
}

}  // namespace
}  // namespace prefixmem::agent
