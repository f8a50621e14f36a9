// What the trials of a bank share.
#include "worker/trainer/train/base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/byte_codec.h"
#include "tests/unit/trainer/scratch_folder.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

class BaseTest : public ::testing::Test {
 protected:
  BaseTest() {
    base_.codec = std::make_unique<ByteCodec>();
    spec_.data.train = folder_.write("t.csv", "prompt,completion\nab,c\nde,f\n");
    base_.spec = spec_;
  }

  ScratchFolder folder_;
  JobSpec spec_;
  Base base_;
};

TEST_F(BaseTest, RowsAreEncodedOnceForAllWhoWantThem) {
  const auto first = base_.dataset(spec_, {100}).value();
  EXPECT_EQ(first->train.size(), 2U);
  JobSpec other = spec_;
  other.method = LoraMethod();
  other.train.seed = 7;
  other.eval.max_rows = 1;
  EXPECT_EQ(base_.dataset(other, {100}).value(), first);
  EXPECT_NE(base_.dataset(other, {100, 1}).value(), first);
  other.data.max_tokens = 50;
  EXPECT_NE(base_.dataset(other, {100}).value(), first);
}

TEST_F(BaseTest, RowsGoWithTheLastWhoHoldsThem) {
  const std::weak_ptr<const Dataset> rows = base_.dataset(spec_, {100}).value();
  EXPECT_TRUE(rows.expired());
  EXPECT_EQ(base_.dataset(spec_, {100}).value()->train.size(), 2U);
}

TEST_F(BaseTest, RefusesWhoNeedsAnother) {
  EXPECT_TRUE(check_base(base_, spec_).ok());
  JobSpec other = spec_;
  other.model = "elsewhere";
  EXPECT_THAT(check_base(base_, other).message(), HasSubstr("model is elsewhere"));
  other = spec_;
  other.train.dtype = Dtype::kFp32;
  EXPECT_EQ(check_base(base_, other).message(), "train.dtype is fp32; allowed in this bank: bf16");
  other = spec_;
  other.resources.threads = 3;
  EXPECT_EQ(check_base(base_, other).message(), "resources.threads is 3; allowed in this bank: 0");
  other = spec_;
  other.resources.shard_base = true;
  EXPECT_EQ(check_base(base_, other).message(),
            "resources.shard_base is true; allowed in this bank: false");
  other.resources.shard_base = false;
  EXPECT_TRUE(check_base(base_, other).ok());
}

}  // namespace
}  // namespace prefixmem::trainer
