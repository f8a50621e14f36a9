#include "worker/trainer/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prefixmem::trainer {
namespace {

double factor_after_warmup(Schedule schedule, double done, double rest) {
  switch (schedule) {
    case Schedule::kConstant:
      return 1;
    case Schedule::kLinear:
      return std::max(0.0, (rest - done) / rest);
    case Schedule::kCosine:
      return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * done / rest)));
  }
  return 1;
}

}  // namespace

double learning_rate_at(const TrainSpec& spec, int64_t step, int64_t total) {
  const auto warmup = static_cast<double>(spec.warmup_steps);
  const auto now = static_cast<double>(step);
  if (now < warmup) return spec.learning_rate * (now / std::max(1.0, warmup));
  const double rest = std::max(1.0, static_cast<double>(total) - warmup);
  return spec.learning_rate * factor_after_warmup(spec.schedule, now - warmup, rest);
}

}  // namespace prefixmem::trainer
