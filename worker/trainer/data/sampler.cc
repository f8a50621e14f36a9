#include "worker/trainer/data/sampler.h"

#include <algorithm>
#include <cmath>

#include "common/random.h"

namespace prefixmem::trainer {

Sampler::Sampler(int64_t rows, int64_t batch_size, uint64_t seed)
    : rows_(rows),
      batch_size_(batch_size),
      seed_(seed),
      steps_per_epoch_((rows + batch_size - 1) / batch_size) {}

int64_t Sampler::total_steps(const TrainSpec& spec) const {
  if (spec.max_steps) return *spec.max_steps;
  // Less a hair, so that 0.1 epochs of 10 steps are one step, not two.
  const double steps = spec.epochs.value_or(0) * static_cast<double>(steps_per_epoch_);
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(steps - 1e-9)));
}

std::vector<int64_t> Sampler::batch(int64_t step) {
  const int64_t epoch = step / steps_per_epoch_;
  if (epoch != epoch_) {
    order_ = permutation(rows_, seed_, epoch);
    epoch_ = epoch;
  }
  const int64_t begin = (step % steps_per_epoch_) * batch_size_;
  const int64_t end = std::min(begin + batch_size_, rows_);
  return {order_.begin() + begin, order_.begin() + end};
}

}  // namespace prefixmem::trainer
