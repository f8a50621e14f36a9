// The sharded optimizer against the replicated one; run alone and under `mpirun`.
#include "worker/trainer/train/sharded_optimizer.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/unit/trainer/toy_job.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/train/replicated_optimizer.h"

namespace prefixmem::trainer {
namespace {

constexpr AdamWOptions kOptions{.weight_decay = 0.1};

// 23 values, so that no number of ranks but 1 and 23 divides them.
std::vector<Parameter> parameters(torch::Dtype dtype = torch::kFloat32) {
  torch::manual_seed(3);
  std::vector<Parameter> made;
  for (const auto& shape : std::vector<std::vector<int64_t>>{{2, 3}, {1}, {4, 4}}) {
    made.push_back(
        {"p" + std::to_string(made.size()), torch::randn(shape).to(dtype).requires_grad_()});
  }
  return made;
}

torch::Tensor flat(const std::vector<Parameter>& list) {
  std::vector<torch::Tensor> values;
  for (const Parameter& parameter : list) values.push_back(parameter.value.detach().reshape({-1}));
  return torch::cat(values).to(torch::kFloat32);
}

// A loss of all parameters whose gradient differs from rank to rank and round to round.
void backward(std::vector<Parameter>& list, int rank, int64_t round) {
  torch::Tensor loss = torch::zeros({});
  for (const Parameter& parameter : list) {
    const auto factor = static_cast<double>(rank + 1) / static_cast<double>(round + 2);
    loss = loss + (parameter.value.to(torch::kFloat32) * factor).sin().sum();
  }
  loss.backward();
}

// Two rounds, in the second of which only rank 0 has a micro-batch. Gives the gradient's norm.
double make_step(Optimizer& optimizer, std::vector<Parameter>& list, double max_norm) {
  optimizer.zero_gradients();
  for (int64_t round = 0; round < 2; ++round) {
    if (round == 0 || test_gang()->rank() == 0) backward(list, test_gang()->rank(), round);
    EXPECT_TRUE(optimizer.after_backward().ok());
  }
  EXPECT_TRUE(optimizer.sum_gradients().ok());
  const auto norm = optimizer.clip_gradients(max_norm);
  EXPECT_TRUE(optimizer.step(0.01).ok());
  return *norm;
}

class ShardedOptimizerTest : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(BucketValues, ShardedOptimizerTest, ::testing::Values(1, 5, 16, 1000));

TEST_P(ShardedOptimizerTest, MakesTheStepsOfTheReplicatedOne) {
  auto sharded = parameters(), replicated = parameters();
  ShardedOptimizer one(sharded, *test_gang(), kOptions, GetParam());
  ReplicatedOptimizer other(replicated, *test_gang(), kOptions);
  for (int64_t step = 0; step < 6; ++step) {
    const double max_norm = step % 2 == 0 ? 0 : 0.5;
    const double norm = make_step(one, sharded, max_norm);
    EXPECT_NEAR(norm, make_step(other, replicated, max_norm), 1e-6 * norm);
    EXPECT_LE((flat(sharded) - flat(replicated)).abs().max().item<float>(), 1e-6);
  }
  EXPECT_EQ(one.steps(), 6);
  for (const State state : {State::kValue, State::kFirstMoment, State::kSecondMoment}) {
    for (size_t i = 0; i < sharded.size(); ++i) {
      const auto mine = one.gather(state, i), theirs = other.gather(state, i);
      ASSERT_EQ(mine->defined(), test_gang()->rank() == 0);
      if (mine->defined()) {
        EXPECT_TRUE(torch::allclose(*mine, *theirs, 1e-5, 1e-7));
      }
    }
  }
}

TEST_P(ShardedOptimizerTest, PutsBackWhatItGave) {
  auto before = parameters(), after = parameters();
  ShardedOptimizer one(before, *test_gang(), kOptions, GetParam());
  ShardedOptimizer other(after, *test_gang(), kOptions, 7);
  make_step(one, before, 0);
  for (const State state : {State::kValue, State::kFirstMoment, State::kSecondMoment}) {
    for (size_t i = 0; i < before.size(); ++i) {
      ASSERT_TRUE(other.scatter(state, i, one.gather(state, i).value()).ok());
    }
  }
  other.set_steps(one.steps());
  EXPECT_TRUE(flat(before).equal(flat(after)));
  make_step(one, before, 0.5);
  make_step(other, after, 0.5);
  EXPECT_TRUE(torch::allclose(flat(before), flat(after), 0, 1e-7));
}

TEST_P(ShardedOptimizerTest, NarrowWeightsAreTheWideValuesRoundedOnce) {
  auto narrow = parameters(torch::kBFloat16), wide = parameters(torch::kBFloat16);
  for (Parameter& parameter : wide) {
    parameter.value = parameter.value.detach().to(torch::kFloat32).requires_grad_();
  }
  ShardedOptimizer one(narrow, *test_gang(), kOptions, GetParam());
  ReplicatedOptimizer other(wide, *test_gang(), kOptions);
  // Steps far below what bf16 resolves: only the fp32 values can add them up.
  const auto step = [](Optimizer& optimizer, std::vector<Parameter>& list) {
    optimizer.zero_gradients();
    for (const Parameter& parameter : list) {
      parameter.value.sum().backward();
    }
    ASSERT_TRUE(optimizer.after_backward().ok());
    ASSERT_TRUE(optimizer.sum_gradients().ok());
    ASSERT_TRUE(optimizer.step(1e-4).ok());
  };
  for (int i = 0; i < 100; ++i) {
    step(one, narrow);
    step(other, wide);
  }
  EXPECT_TRUE(flat(narrow).equal(flat(wide).to(torch::kBFloat16).to(torch::kFloat32)));
  const auto value = one.gather(State::kValue, 2);
  if (value->defined()) {
    EXPECT_TRUE(value->equal(flat(wide).narrow(0, 7, 16)));
  }
}

TEST_P(ShardedOptimizerTest, GradientsAreTakenAndFreed) {
  auto list = parameters();
  ShardedOptimizer optimizer(list, *test_gang(), kOptions, GetParam());
  optimizer.zero_gradients();
  backward(list, 0, 0);
  ASSERT_TRUE(optimizer.after_backward().ok());
  for (const Parameter& parameter : list) EXPECT_FALSE(parameter.value.grad().defined());
}

TEST_P(ShardedOptimizerTest, AParameterWithoutAGradientOnSomeRanksCountsAsZeroThere) {
  auto list = parameters();
  ShardedOptimizer optimizer(list, *test_gang(), kOptions, GetParam());
  optimizer.zero_gradients();
  list[test_gang()->rank() % 3].value.sum().backward();
  ASSERT_TRUE(optimizer.after_backward().ok());
  double squares = 0;
  for (int64_t i = 0; i < 3; ++i) {
    double ranks = 0;
    for (int rank = 0; rank < test_gang()->size(); ++rank) ranks += rank % 3 == i ? 1 : 0;
    squares += ranks * ranks * static_cast<double>(list[i].value.numel());
  }
  EXPECT_NEAR(optimizer.clip_gradients(0).value(), std::sqrt(squares), 1e-6);
}

TEST(ShardedOptimizer, StateOfARankFallsWithTheRanks) {
  auto list = parameters();
  const ShardedOptimizer fp32(list, *test_gang(), kOptions);
  const int64_t ranks = test_gang()->size(), part = (23 + ranks - 1) / ranks;
  EXPECT_EQ(fp32.state_bytes(), part * 3 * 4);  // the values are the weights themselves
  auto narrow = parameters(torch::kBFloat16);
  EXPECT_EQ(ShardedOptimizer(narrow, *test_gang(), kOptions).state_bytes(), part * 4 * 4);
}

// A gang whose sums fail.
class BrokenGang : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  int local_size() const override { return 1; }
  torch::Device device() const override { return torch::kCPU; }
  Status all_reduce_sum(torch::Tensor&) override { return {}; }
  Status reduce_scatter_sum(torch::Tensor&, torch::Tensor&) override {
    ++calls;
    return unavailable("a peer is gone");
  }
  Status all_gather(torch::Tensor&) override { return {}; }
  Status all_reduce_sum(std::span<double>) override { return {}; }
  Status broadcast(std::string&) override { return {}; }
  Result<std::vector<std::string>> all_gather(const std::string& bytes) override {
    return std::vector<std::string>{bytes};
  }
  Status barrier() override { return {}; }
  void abort(int code) override { std::_Exit(code); }

  int calls = 0;
};

TEST(ShardedOptimizer, AFailedSumEndsTheRoundAndIsTheLast) {
  BrokenGang gang;
  auto list = parameters();
  ShardedOptimizer optimizer(list, gang, kOptions, 4);
  backward(list, 0, 0);
  EXPECT_EQ(optimizer.after_backward().message(), "a peer is gone");
  EXPECT_EQ(gang.calls, 1);
}

}  // namespace
}  // namespace prefixmem::trainer
