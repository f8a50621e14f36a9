// Which rows a step trains on: a pure function of the step's number.
#pragma once

#include <cstdint>
#include <vector>

#include "common/spec/job_spec.h"

namespace prefixmem::trainer {

// Each epoch is a permutation seeded by (seed, epoch); its last batch is short, not dropped. The
// position in the data is the number of steps done and nothing else.
class Sampler {
 public:
  // rows >= 1, batch_size >= 1.
  Sampler(int64_t rows, int64_t batch_size, uint64_t seed);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // max_steps, or epochs (a fraction is rounded up to whole steps).
  int64_t total_steps(const TrainSpec& spec) const;
  // Row indices of a step, from 0. The epoch's permutation is kept between calls.
  std::vector<int64_t> batch(int64_t step);

 private:
  const int64_t rows_, batch_size_;
  const uint64_t seed_;
  const int64_t steps_per_epoch_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace prefixmem::trainer
