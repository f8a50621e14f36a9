#include "worker/trainer/train/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/random_examples.h"
#include "tests/unit/trainer/tiny_transformer.h"

namespace prefixmem::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// 40 rows of 9 input tokens, of which 4 are scored, and one of 19.
std::vector<Example> rows() {
  std::vector<Example> rows(40, example_of(std::vector<int32_t>(10), 6));
  rows.push_back(example_of(std::vector<int32_t>(20), 18));
  return rows;
}

TEST(PassOver, IsTheMicroBatchOrAllRowsOfAStepOrTheLongestRow) {
  JobSpec spec;
  const auto tokens = [&](bool shared) { return pass_over(spec, rows(), shared).tokens; };
  spec.train.global_batch_size = 100;
  spec.train.micro_batch_tokens = 64;
  EXPECT_EQ(tokens(false), 64);
  spec.train.global_batch_size = 4;
  spec.resources.ranks = 2;
  EXPECT_EQ(tokens(false), 2 * 19);
  EXPECT_EQ(tokens(true), 64) << "others of the bank fill it";
  spec.train.micro_batch_tokens = 8;
  EXPECT_EQ(tokens(false), 19);
  EXPECT_EQ(pass_over(spec, rows(), false).row, 19);
  EXPECT_EQ(pass_over(spec, rows(), false).labels, 2 * 4);
}

TEST(BesideTheBase, RanksHaveWeightsThatNobodyTrainsOnce) {
  JobSpec spec;
  const memory::Estimate base{.weights = 100, .program = 10};
  EXPECT_EQ(beside_the_base(1000, 2, spec, base), 500 - 50 - 10);
  spec.train.dtype = Dtype::kFp32;
  EXPECT_EQ(beside_the_base(1000, 2, spec, base), 500 - 100 - 10);
  EXPECT_EQ(beside_the_base(100, 2, spec, base), 0);
}

class FitTest : public testing::Test {
 protected:
  FitTest() {
    config_.num_layers = 9;
    config_.layers.resize(9);
    spec_.method = LoraMethod();
    spec_.train.activation_checkpointing = Checkpointing::kAuto;
  }
  int64_t needed(int64_t recomputed) const {
    return memory::estimate(spec_, config_, pass_, recomputed)->of_training();
  }
  MemoryFit fit(int64_t free) const { return find_fit(spec_, config_, pass_, free).value(); }

  ModelConfig config_ = tiny_config(false);
  JobSpec spec_;
  const memory::PassSize pass_{4096, 64, 512};
};

TEST_F(FitTest, AutoComputesAsFewLayersAgainAsTheMemoryAsksFor) {
  EXPECT_EQ(fit(needed(0)).recomputed_layers, 0);
  for (const int64_t layers : {2, 5, 8}) {
    ASSERT_LT(needed(layers), needed(layers - 1));
    EXPECT_EQ(fit(needed(layers)).recomputed_layers, layers);
    EXPECT_EQ(fit(needed(layers - 1) - 1).recomputed_layers, layers);
  }
  const MemoryFit found = fit(needed(5));
  EXPECT_TRUE(found.is_enough);
  EXPECT_THAT(found.note, AllOf(HasSubstr("a rank needs about 0.0"),
                                HasSubstr("for micro-batches of 4096 tokens"),
                                HasSubstr("backward computes 5 of 9 layers again")));
}

TEST_F(FitTest, WhatIsTooMuchSaysWhatTakesLess) {
  const MemoryFit all = fit(1);
  EXPECT_FALSE(all.is_enough);
  EXPECT_EQ(all.recomputed_layers, 9);
  EXPECT_THAT(all.note, HasSubstr("0.00 GiB are free; a lower train.micro_batch_tokens"));
  spec_.train.activation_checkpointing.reset();
  EXPECT_EQ(fit(1).recomputed_layers, 0);
  EXPECT_THAT(fit(1).note, HasSubstr("; train.activation_checkpointing auto or a lower"));
  EXPECT_EQ(fit(needed(0)).note, "");
}

}  // namespace
}  // namespace prefixmem::trainer
