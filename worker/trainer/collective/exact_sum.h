// Sums that come out the same, to the bit, in whatever order and on however many ranks they are
// made: each value is first rounded to a fixed grid, and integers add exactly.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

class ExactSum {
 public:
  // Of vectors of `count` values on `device`: the gang's, or the CPU for a few that are there.
  ExactSum(int64_t count, torch::Device device);

  void clear();
  // fp32 or fp64 [count], as many as 2^13 times. fp32 is rounded where it is smaller than 2^-50,
  // otherwise taken as it is; what is not below 2^25 in size is no number.
  void add(const torch::Tensor& values);
  // From here on the sum of all ranks. Collective.
  Status sum_over(Collective& gang);
  // fp64 [count]; NaN where a value was not finite or too large.
  torch::Tensor value() const;

 private:
  // Rows: multiples of 2^-24, multiples of 2^-74 that are left, how many values are no number.
  torch::Tensor limbs_;  // int64 [3, count]
};

}  // namespace prefixmem::trainer
