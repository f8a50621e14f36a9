// One test class for every backend: alone it is the null object, under `mpirun -n N` MPI, and with
// PREFIXMEM_TEST_DEVICE=cuda NCCL (tests/gpu).
#include "worker/trainer/collective/collective.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "worker/trainer/collective/watchdog.h"

namespace prefixmem::trainer {
namespace {

std::unique_ptr<Collective> gang;  // MPI starts once a process

class GangEnvironment : public ::testing::Environment {
  void SetUp() override {
    const char* device = std::getenv("PREFIXMEM_TEST_DEVICE");
    CollectiveOptions options;
    options.device =
        device != nullptr && std::string(device) == "cuda" ? Device::kCuda : Device::kCpu;
    auto made = make_collective(options);
    ASSERT_TRUE(made.ok()) << made.status().message();
    gang = std::move(*made);
  }
  void TearDown() override { gang.reset(); }
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new GangEnvironment);

double ranks_sum() { return gang->size() * (gang->size() - 1) / 2.0; }

TEST(Collective, HasTheSizeItWasStartedWith) {
  const char* const given = std::getenv("PREFIXMEM_TEST_RANKS");
  EXPECT_EQ(gang->size(), given == nullptr ? 1 : std::strtol(given, nullptr, 10));
  EXPECT_LT(gang->rank(), gang->size());
  EXPECT_EQ(gang->local_size(), gang->size());
  EXPECT_EQ(gang->local_rank(), gang->rank());
}

TEST(Collective, SumsTensorsInPlace) {
  torch::Tensor values = torch::arange(1000, torch::kFloat32).to(gang->device()) + gang->rank();
  ASSERT_TRUE(gang->all_reduce_sum(values).ok());
  const torch::Tensor expected = torch::arange(1000, torch::kFloat32) * gang->size() + ranks_sum();
  EXPECT_TRUE(values.cpu().equal(expected));
}

TEST(Collective, SumsIntegersOfAnySizeExactly) {
  const int64_t large = (int64_t{1} << 58) + 1;
  torch::Tensor values =
      torch::tensor({large, -large, int64_t{gang->rank()}}, torch::kInt64).to(gang->device());
  ASSERT_TRUE(gang->all_reduce_sum(values).ok());
  const int64_t ranks = gang->size();
  const torch::Tensor expected =
      torch::tensor({large * ranks, -large * ranks, ranks * (ranks - 1) / 2}, torch::kInt64);
  EXPECT_TRUE(values.cpu().equal(expected));
}

TEST(Collective, EveryRankGetsTheSameBits) {
  torch::manual_seed(gang->rank());
  torch::Tensor values = torch::randn({4097}).to(gang->device());
  ASSERT_TRUE(gang->all_reduce_sum(values).ok());
  const torch::Tensor host = values.cpu();
  const auto all = gang->all_gather({static_cast<const char*>(host.data_ptr()), host.nbytes()});
  ASSERT_TRUE(all.ok());
  for (const auto& bytes : *all) EXPECT_TRUE(bytes == all->front());
}

TEST(Collective, RefusesATensorItCannotSum) {
  torch::Tensor doubles = torch::zeros({3}, torch::kFloat64);
  EXPECT_EQ(gang->all_reduce_sum(doubles).code(), Code::kInternal);
  torch::Tensor strided = torch::zeros({4, 4}).to(gang->device()).t().slice(0, 0, 2);
  EXPECT_EQ(gang->all_reduce_sum(strided).code(), Code::kInternal);
}

TEST(Collective, ScattersTheSum) {
  torch::Tensor values =
      (torch::arange(gang->size() * 7, torch::kFloat32) + gang->rank()).to(gang->device());
  torch::Tensor part = torch::empty({7}, values.options());
  ASSERT_TRUE(gang->reduce_scatter_sum(values, part).ok());
  const torch::Tensor mine = torch::arange(7, torch::kFloat32) + 7 * gang->rank();
  EXPECT_TRUE(part.cpu().equal(mine * gang->size() + ranks_sum()));
}

TEST(Collective, GathersPartsOfAnyDtype) {
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    torch::Tensor values = torch::zeros({gang->size() * int64_t{5}}, dtype).to(gang->device());
    values.narrow(0, gang->rank() * int64_t{5}, 5).fill_(gang->rank() + 1);
    ASSERT_TRUE(gang->all_gather(values).ok());
    const torch::Tensor expected =
        torch::arange(1, gang->size() + 1, torch::kFloat32).repeat_interleave(5);
    EXPECT_TRUE(values.cpu().to(torch::kFloat32).equal(expected));
  }
}

TEST(Collective, RefusesPartsThatDoNotFit) {
  torch::Tensor values = torch::zeros({gang->size() * int64_t{4} + 1}).to(gang->device());
  torch::Tensor part = torch::zeros({4}).to(gang->device());
  EXPECT_EQ(gang->reduce_scatter_sum(values, part).code(), Code::kInternal);
  torch::Tensor square = torch::zeros({4, gang->size() * int64_t{4}}).to(gang->device());
  EXPECT_EQ(gang->all_gather(square).code(), Code::kInternal);
}

TEST(Collective, SumsHostValues) {
  double values[2] = {1.0, static_cast<double>(gang->rank())};
  ASSERT_TRUE(gang->all_reduce_sum(values).ok());
  EXPECT_EQ(values[0], gang->size());
  EXPECT_EQ(values[1], ranks_sum());
}

TEST(Collective, BroadcastsRankZerosBytes) {
  std::string bytes = gang->rank() == 0 ? std::string("a\0b", 3) : "something else";
  ASSERT_TRUE(gang->broadcast(bytes).ok());
  EXPECT_EQ(bytes, std::string("a\0b", 3));
}

TEST(Collective, GathersBytesOfDifferentLengthsInRankOrder) {
  const auto all = gang->all_gather(std::string(gang->rank(), 'x'));
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(static_cast<int>(all->size()), gang->size());
  for (int i = 0; i < gang->size(); ++i) EXPECT_EQ((*all)[i], std::string(i, 'x'));
}

TEST(Collective, AgreesOnTheFailureOfOneRank) {
  const int last = gang->size() - 1;
  Status outcome = gang->rank() == last ? not_found("no such\nfile") : Status();
  ASSERT_TRUE(agree(*gang, outcome).ok());
  EXPECT_EQ(outcome.code(), Code::kNotFound);
  EXPECT_EQ(outcome.message(), "no such\nfile");
  outcome = {};
  ASSERT_TRUE(agree(*gang, outcome).ok());
  EXPECT_TRUE(outcome.ok());
}

TEST(Collective, FindsTheRankThatHasSomethingElse) {
  EXPECT_TRUE(check_same(*gang, "rows", "abc").ok());
  if (gang->size() == 1) return;
  const int last = gang->size() - 1;
  const Status status = check_same(*gang, "rows", gang->rank() == last ? "abd" : "abc");
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(status.message(), "rank " + std::to_string(last) +
                                  " has other rows than rank 0 (abd, rank 0 abc); allowed: the "
                                  "same on every host of the gang");
}

TEST(Collective, Barrier) { EXPECT_TRUE(gang->barrier().ok()); }

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

TEST(Collective, WhoWaitsLeavesTheCore) {
  ASSERT_TRUE(gang->barrier().ok());
  const bool late = gang->rank() == gang->size() - 1;
  const double most = gang->size() > 1 && gang->device().is_cpu() ? 0.5 : 2;  // of the wait
  const double computed = seconds_of(CLOCK_THREAD_CPUTIME_ID), begin = seconds_of(CLOCK_MONOTONIC);
  if (late) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  double value = 1;
  ASSERT_TRUE(gang->all_reduce_sum({&value, 1}).ok());
  EXPECT_LT(seconds_of(CLOCK_THREAD_CPUTIME_ID) - computed,
            most * (seconds_of(CLOCK_MONOTONIC) - begin));
}

TEST(CallBoard, ShowsTheCallWhileItLastsAndItsNumberAfterwards) {
  CallBoard calls;
  EXPECT_EQ(calls.entry().name, "");
  EXPECT_EQ(calls.entry().number, 0);
  {
    const auto before = std::chrono::steady_clock::now();
    const CallBoard::Call call(calls, "all_reduce");
    EXPECT_EQ(calls.entry().name, "all_reduce");
    EXPECT_EQ(calls.entry().number, 1);
    EXPECT_GE(calls.entry().since, before);
  }
  EXPECT_EQ(calls.entry().name, "");
  EXPECT_EQ(calls.entry().number, 1);
}

TEST(Collective, PutsItsCallsOnTheBoard) {
  const int64_t before = call_board().entry().number;
  double value = 1;
  ASSERT_TRUE(gang->all_reduce_sum({&value, 1}).ok());
  ASSERT_TRUE(gang->barrier().ok());
  EXPECT_EQ(call_board().entry().number - before, gang->size() > 1 ? 2 : 0)
      << "one waits for nobody";
}

TEST(Watchdog, NamesTheCallThatDoesNotEnd) {
  std::mutex mutex;
  std::condition_variable changed;
  std::string alarm;
  CallBoard calls;
  const Watchdog watchdog(calls, std::chrono::milliseconds(1), [&](const std::string& call) {
    const std::lock_guard lock(mutex);
    alarm = call;
    changed.notify_all();
  });
  const CallBoard::Call call(calls, "all_reduce");
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return !alarm.empty(); }));
  EXPECT_EQ(alarm, "all_reduce");
}

TEST(Watchdog, SleepsThroughWhatEnds) {
  bool alarmed = false;
  {
    CallBoard calls;
    const Watchdog watchdog(calls, std::chrono::hours(1),
                            [&](const std::string&) { alarmed = true; });
    for (int i = 0; i < 1000; ++i) const CallBoard::Call call(calls, "step");
  }
  EXPECT_FALSE(alarmed);
}

}  // namespace
}  // namespace prefixmem::trainer
