#include "worker/agent/attempt/trainer_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/spec/spec_io.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

std::string spec_with(const std::string& resources) {
  return "name: n\nmodel: /m\nmethod: lora\ndata: {train: t.jsonl}\ntrain: {max_steps: "
         "3}\nresources: " +
         resources + "\n";
}

WorkerDevice gpus() { return {true, {"G"}, {{"0", "G"}}, 1}; }

JobSpec local(const std::string& resources, const WorkerDevice& device) {
  const auto spec = localize_spec(spec_with(resources), device, 7);
  EXPECT_TRUE(spec.ok()) << spec.status().to_string();
  return *parse_job_spec(spec->yaml);
}

TEST(LocalizeSpec, FillsInWhatOnlyTheWorkerKnows) {
  const JobSpec on_cpu = local("{ranks: 2}", {});
  EXPECT_EQ(on_cpu.resources.device, Device::kCpu);
  EXPECT_EQ(on_cpu.resources.threads, 7);
  EXPECT_EQ(on_cpu.resources.ranks, 2);
  EXPECT_EQ(local("{ranks: 2}", gpus()).resources.device, Device::kCuda);
}

TEST(LocalizeSpec, LeavesWhatTheSpecSays) {
  const JobSpec spec = local("{device: cpu, threads: 3}", gpus());
  EXPECT_EQ(spec.resources.device, Device::kCpu);
  EXPECT_EQ(spec.resources.threads, 3);
}

TEST(LocalizeSpec, SaysMethodAndGpu) {
  const auto spec = localize_spec(spec_with("{}"), gpus(), 1);
  EXPECT_EQ(spec->method, "lora");
  EXPECT_TRUE(spec->uses_gpu);
  EXPECT_FALSE(localize_spec(spec_with("{device: cpu}"), gpus(), 1)->uses_gpu);
}

TEST(LocalizeSpec, RefusesCudaWithoutAGpu) {
  const Status status = localize_spec(spec_with("{device: cuda}"), {}, 1).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("resources.device is cuda"));
}

TEST(LocalizeSpec, RefusesABadSpec) {
  const Status status = localize_spec(spec_with("{rank: 2}"), {}, 1).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("resources.rank"));
}

class TrainerCommandTest : public testing::Test {
 protected:
  ~TrainerCommandTest() override { EXPECT_TRUE(folder_.remove().ok()); }

  // The word after `flag`.
  static std::string after(const Command& command, const std::string& flag) {
    const auto at = std::find(command.argv.begin(), command.argv.end(), flag);
    return at + 1 < command.argv.end() ? *(at + 1) : "";
  }

  const TempFolder temp_;
  const GangFolder folder_ = *GangFolder::create(temp_.path(), {"job-a", 1});
  const TrialFiles one_ = {"/w/a/spec.yaml", "/w/a/portable.yaml", "/w/a/out"};
  const TrainerPrograms programs_{"/usr/bin/mpirun", "/opt/pmt-trainer", "/w/cache"};
};

TEST_F(TrainerCommandTest, IsMpirunWithTheTrainer) {
  const Command command = trainer_command(programs_, folder_, 2, one_, {});
  EXPECT_EQ(command.argv.front(), "/usr/bin/mpirun");
  EXPECT_EQ(after(command, "-n"), "2");
  EXPECT_EQ(after(command, "--bind-to"), "none");
  EXPECT_EQ(after(command, "mpi_yield_when_idle"), "1");
  EXPECT_THAT(command.argv, Contains("--oversubscribe"));
  const auto trainer = std::find(command.argv.begin(), command.argv.end(), "/opt/pmt-trainer");
  EXPECT_THAT((std::vector<std::string>(trainer, command.argv.end())),
              ElementsAre("/opt/pmt-trainer", "/w/a/spec.yaml", "--out", "/w/a/out", "--resume",
                          "--portable", "/w/a/portable.yaml", "--events", folder_.socket().string(),
                          "--cache", "/w/cache"));
}

TEST_F(TrainerCommandTest, OfABankNamesTheFileThatListsItsTrials) {
  const std::vector<TrialFiles> two = {one_, {"/w/b/spec.yaml", "/w/b/portable.yaml", "/w/b/out"}};
  const Command command = trainer_command(programs_, folder_, 2, std::nullopt, {});
  const auto trainer = std::find(command.argv.begin(), command.argv.end(), "/opt/pmt-trainer");
  EXPECT_THAT((std::vector<std::string>(trainer, command.argv.end())),
              ElementsAre("/opt/pmt-trainer", "--bank", folder_.bank().string(), "--events",
                          folder_.socket().string(), "--cache", "/w/cache"));
  EXPECT_EQ(nlohmann::json::parse(bank_file(two)), nlohmann::json::parse(R"({"trials": [
    {"spec": "/w/a/spec.yaml", "out": "/w/a/out", "resume": true, "portable": "/w/a/portable.yaml"},
    {"spec": "/w/b/spec.yaml", "out": "/w/b/out", "resume": true, "portable": "/w/b/portable.yaml"}]})"));
}

TEST_F(TrainerCommandTest, CarriesTheMarkAndItsShareOfTheHost) {
  EXPECT_THAT(trainer_command(programs_, folder_, 1, one_, {}).environment,
              ElementsAre(folder_.mark()));
  EXPECT_THAT(trainer_command(programs_, folder_, 2, one_, {.gpus = {"1", "3"}}).environment,
              ElementsAre(folder_.mark(), "CUDA_VISIBLE_DEVICES=1,3"));
  EXPECT_THAT(trainer_command(programs_, folder_, 2, one_, {.memory = 5}).environment,
              ElementsAre(folder_.mark(), "PREFIXMEM_TRAINER_MEMORY=5"));
}

TEST_F(TrainerCommandTest, OfTheHeadOfSeveralHostsNamesThemAndNoFile) {
  const std::vector<GangHost> hosts = {{"w0", "a", 2}, {"w1", "b", 1}};
  const Command command = head_command(programs_, folder_, hosts, one_, {.gpus = {"1"}});
  EXPECT_EQ(after(command, "-n"), "3");
  EXPECT_EQ(after(command, "--host"), "localhost:2,pmt-member1:1");
  EXPECT_EQ(after(command, "plm_rsh_agent"),
            folder_.rsh().string() + " " + folder_.requests().string());
  EXPECT_THAT((std::vector<std::string>(command.argv.end() - 2, command.argv.end())),
              ElementsAre("pmt-trainer", "--resume"));
  EXPECT_THAT(command.environment,
              ElementsAre(folder_.mark(), "CUDA_VISIBLE_DEVICES=1",
                          testing::StartsWith("PATH=" + folder_.run().string() + ":"),
                          "PREFIXMEM_TRAINER_SPEC=/w/a/spec.yaml", "PREFIXMEM_TRAINER_OUT=/w/a/out",
                          "PREFIXMEM_TRAINER_PORTABLE=/w/a/portable.yaml",
                          "PREFIXMEM_TRAINER_EVENTS=" + folder_.socket().string(),
                          "PREFIXMEM_TRAINER_CACHE=/w/cache"));
}

TEST(ChooseGpus, TakesTheLeastUsedInTheHostsOrder) {
  const std::vector<Gpu> gpus = {{"0", ""}, {"1", ""}, {"2", ""}};
  EXPECT_THAT(choose_gpus(gpus, {}, 2), ElementsAre("0", "1"));
  EXPECT_THAT(choose_gpus(gpus, {{"0", 1}}, 2), ElementsAre("1", "2"));
  EXPECT_THAT(choose_gpus(gpus, {{"0", 1}, {"1", 2}, {"2", 2}}, 2), ElementsAre("0", "1"));
  EXPECT_THAT(choose_gpus(gpus, {}, 8), ElementsAre("0", "1", "2"));
}

}  // namespace
}  // namespace prefixmem::agent
