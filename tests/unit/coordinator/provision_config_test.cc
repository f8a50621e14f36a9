// The provisioner's file.
#include "coordinator/provision/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/common/temp_folder.h"

namespace prefixmem::provision {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ProvisionConfigTest : public testing::Test {
 protected:
  ProvisionConfigTest() { std::ofstream(folder_.path() / "w.sbatch") << "#!/bin/sh\n"; }

  Result<Config> parse(const std::string& more) const {
    return parse_config("type: slurm\nscript: w.sbatch\n" + more, folder_.path());
  }
  std::string failure(const std::string& more) const { return parse(more).status().message(); }

  const TempFolder folder_;
};

TEST_F(ProvisionConfigTest, WhatIsLeftOpen) {
  const auto config = parse("");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->script, folder_.path() / "w.sbatch");
  EXPECT_TRUE(config->arguments.empty());
  EXPECT_EQ(config->poll, Millis(10'000));
  const scheduler::FleetLimits& limits = config->limits;
  EXPECT_EQ(limits.slots, 1);
  EXPECT_EQ(limits.device, Device::kCpu);
  EXPECT_EQ(limits.least, 0);
  EXPECT_EQ(limits.most, 1);
  EXPECT_EQ(limits.most_pending, 1);
  EXPECT_EQ(limits.idle, Millis(300'000));
  EXPECT_EQ(limits.start, Millis(600'000));
  EXPECT_EQ(limits.backoff.first, Millis(30'000));
  EXPECT_EQ(limits.backoff.longest, Millis(1'800'000));
}

TEST_F(ProvisionConfigTest, EveryKey) {
  const auto config = parse(
      "slots: 8\ndevice: cuda\nmin: 1\nmax: 20\nmax_pending: 4\nidle_seconds: 60\n"
      "start_seconds: 120\nbackoff_seconds: 10\nmax_backoff_seconds: 100\npoll_seconds: 5\n"
      "arguments: [--partition=gpu, --account=lab]\n");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_THAT(config->arguments, ElementsAre("--partition=gpu", "--account=lab"));
  EXPECT_EQ(config->poll, Millis(5'000));
  const scheduler::FleetLimits& limits = config->limits;
  EXPECT_EQ(limits.slots, 8);
  EXPECT_EQ(limits.device, Device::kCuda);
  EXPECT_EQ(limits.least, 1);
  EXPECT_EQ(limits.most, 20);
  EXPECT_EQ(limits.most_pending, 4);
  EXPECT_EQ(limits.idle, Millis(60'000));
  EXPECT_EQ(limits.start, Millis(120'000));
  EXPECT_EQ(limits.backoff.first, Millis(10'000));
  EXPECT_EQ(limits.backoff.longest, Millis(100'000));
}

TEST_F(ProvisionConfigTest, WhatIsWrongIsNamed) {
  EXPECT_EQ(failure("idle_second: 3\n"), "idle_second is not a key; did you mean idle_seconds?");
  EXPECT_EQ(failure("slots: 0\n"), "slots is \"0\"; allowed: a whole number from 1 to 4096");
  EXPECT_EQ(failure("max: many\n"), "max is \"many\"; allowed: a whole number of at least 0");
  EXPECT_EQ(failure("max: 2\nmin: 3\n"), "min is \"3\"; allowed: a whole number from 0 to 2");
  EXPECT_EQ(failure("device: tpu\n"), "device is \"tpu\"; allowed: cpu or cuda");
  for (const char* word :
       {"gpu", "-p", "--wrap=true", "--array=1-9", "--arr=2", "--cluster=b", "--"}) {
    EXPECT_THAT(failure("arguments: ['" + std::string(word) + "']\n"),
                HasSubstr("arguments holds \"" + std::string(word) + "\"; allowed: long options"));
  }
  const auto parse = [](const std::string& text) {
    return parse_config(text, "/none").status().message();
  };
  EXPECT_EQ(parse("type: pbs\nscript: x\n"), "type is \"pbs\"; allowed: slurm");
  EXPECT_EQ(parse("script: x\n"), "type is missing; allowed: text");
  EXPECT_EQ(parse("type: slurm\nscript: x\n"),
            "script is \"x\"; allowed: a file that can be read, here /none/x");
  EXPECT_EQ(parse(""), "the file is empty; allowed: a map of keys");
}

TEST_F(ProvisionConfigTest, TheFileIsNamed) {
  const auto file = folder_.path() / "provisioner.yaml";
  EXPECT_THAT(read_config(file).status().message(), HasSubstr("--provisioner: "));
  std::ofstream(file) << "type: pbs\n";
  EXPECT_THAT(read_config(file).status().message(), HasSubstr("provisioner.yaml: type is \"pbs\""));
  std::ofstream(file) << "type: slurm\nscript: w.sbatch\n";
  EXPECT_EQ(read_config(file)->script, folder_.path() / "w.sbatch");
}

}  // namespace
}  // namespace prefixmem::provision
