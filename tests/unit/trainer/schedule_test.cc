// Against the numbers of transformers.get_scheduler for 10 training steps at rate 2.
#include "worker/trainer/train/schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace prefixmem::trainer {
namespace {

struct Case {
  const char* name;
  Schedule schedule;
  int64_t warmup;
  std::vector<double> rates;
};

class ScheduleTest : public ::testing::TestWithParam<Case> {};

TEST_P(ScheduleTest, EqualsTransformers) {
  TrainSpec spec;
  spec.learning_rate = 2;
  spec.schedule = GetParam().schedule;
  spec.warmup_steps = GetParam().warmup;
  for (int64_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(learning_rate_at(spec, step, 10), GetParam().rates[step], 1e-15) << "step " << step;
  }
}

constexpr double kThird = 2.0 / 3;
INSTANTIATE_TEST_SUITE_P(
    Schedules, ScheduleTest,
    ::testing::Values(
        Case{"Constant", Schedule::kConstant, 0, {2, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
        Case{"ConstantWarm", Schedule::kConstant, 3, {0, kThird, 2 * kThird, 2, 2, 2, 2, 2, 2, 2}},
        Case{"Linear", Schedule::kLinear, 0, {2, 1.8, 1.6, 1.4, 1.2, 1, 0.8, 0.6, 0.4, 0.2}},
        Case{"LinearWarm",
             Schedule::kLinear,
             3,
             {0, kThird, 2 * kThird, 2, 1.7142857142857142, 1.4285714285714286, 1.1428571428571428,
              0.8571428571428571, 0.5714285714285714, 0.2857142857142857}},
        Case{"LinearOnlyWarm",
             Schedule::kLinear,
             12,
             {0, 1 / 6.0, 2 / 6.0, 3 / 6.0, 4 / 6.0, 5 / 6.0, 1, 7 / 6.0, 8 / 6.0, 9 / 6.0}},
        Case{"Cosine",
             Schedule::kCosine,
             0,
             {2, 1.9510565162951536, 1.8090169943749475, 1.5877852522924731, 1.3090169943749475, 1,
              0.69098300562505266, 0.41221474770752697, 0.19098300562505266, 0.048943483704846469}},
        Case{"CosineWarm",
             Schedule::kCosine,
             3,
             {0, kThird, 2 * kThird, 2, 1.900968867902419, 1.6234898018587336, 1.2225209339563143,
              0.77747906604368566, 0.37651019814126652, 0.099031132097580965}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace prefixmem::trainer
