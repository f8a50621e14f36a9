#include "common/host_memory.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/common/temp_folder.h"

namespace prefixmem {
namespace {

constexpr int64_t kKib = 1024;

class HostMemoryTest : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    const auto path = root_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void SetUp() override {
    write("proc/meminfo", "MemTotal:  8000 kB\nMemFree: 100 kB\nMemAvailable:  6000 kB\n");
  }
  std::pair<int64_t, int64_t> read() {
    const HostMemory memory = read_host_memory(root_.path());
    return {memory.total / kKib, memory.available / kKib};
  }

  const TempFolder root_;
};

TEST_F(HostMemoryTest, IsTheHostsWhereNothingLimitsIt) {
  EXPECT_EQ(read(), std::pair(int64_t{8000}, int64_t{6000}));
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "max\n");
  EXPECT_EQ(read(), std::pair(int64_t{8000}, int64_t{6000}));
}

TEST_F(HostMemoryTest, IsWhatTheGroupLeaves) {
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "4096000\n");
  write("sys/fs/cgroup/job/memory.current", "3072000\n");
  write("sys/fs/cgroup/job/memory.stat", "anon 7\ninactive_file 1024000\n");
  EXPECT_EQ(read(), std::pair(int64_t{4000}, int64_t{2000}));
}

TEST_F(HostMemoryTest, IsWhatAGroupAboveLeaves) {
  write("proc/self/cgroup", "0::/step/job\n");
  write("sys/fs/cgroup/step/job/memory.max", "max\n");
  write("sys/fs/cgroup/step/memory.max", "2048000\n");
  write("sys/fs/cgroup/step/memory.current", "1024000\n");
  EXPECT_EQ(read(), std::pair(int64_t{2000}, int64_t{1000}));
}

TEST_F(HostMemoryTest, TakesTheMountsRootForAGroupThatIsNotVisible) {
  write("proc/self/cgroup", "7:cpu:/x\n4:memory:/docker/1\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2048000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4096000\n");
  EXPECT_EQ(read(), std::pair(int64_t{2000}, int64_t{0}));
}

TEST(ValueOf, ReadsTheFilesOfProc) {
  EXPECT_EQ(value_of("low 1\noom_kill 7\n", "oom_kill"), 7);
  EXPECT_EQ(value_of("MemTotal:  3 kB\nMemFree: 1 kB\n", "MemTotal"), 3072);
  EXPECT_EQ(value_of("", "MemTotal"), 0);
}

TEST_F(HostMemoryTest, OfThisHostIsSomething) {
  const HostMemory memory = read_host_memory();
  EXPECT_GT(memory.available, 0);
  EXPECT_GE(memory.total, memory.available);
}

}  // namespace
}  // namespace prefixmem
