// A test trainer: trials whose learning curves are known in advance, and spaces of their settings.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "coordinator/sweep/draws.h"
#include "coordinator/sweep/plan.h"
#include "coordinator/sweep/samplers.h"

namespace prefixmem::sweep {

// 200 settings, the first three kinds of space as a grid.
inline const std::string kGridSpace =
    "space: {method: [lora, prefix_memory],"
    " train.learning_rate: [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1],"
    " train.warmup_steps: [0, 5, 10, 15, 20], train.global_batch_size: [4, 32]}";
inline const std::string kSpace =
    "space: {method: [lora, prefix_memory],"
    " train.learning_rate: {type: log_uniform, low: 1e-5, high: 3e-1},"
    " train.warmup_steps: {type: int, low: 0, high: 20},"
    " train.global_batch_size: {type: int, low: 4, high: 32, log: true}}";

// What members of a population may take over from each other with.
inline const std::string kPopulationSpace =
    "space: {train.learning_rate: {type: log_uniform, low: 1e-5, high: 3e-1},"
    " train.warmup_steps: {type: int, low: 0, high: 20}}";

// The accuracy that a trial comes to in the end.
inline double quality(const Setting& given) {
  Setting setting = given;
  setting.insert({{"method", "lora"}, {"train.global_batch_size", "8"}});
  const auto number = [&](const char* path) { return std::stod(setting.at(path)); };
  const bool lora = setting.at("method") == "lora";
  const double rate = std::log10(number("train.learning_rate")) - (lora ? -3.2 : -2.1);
  const double warmup = (number("train.warmup_steps") - 8) / 20;
  const double batch = std::log2(number("train.global_batch_size")) - 3;
  return (lora ? 0.80 : 0.84) - 0.08 * rate * rate - 0.05 * warmup * warmup - 0.01 * batch * batch;
}

// Worse settings are visibly worse early on, but not surely: the noise falls as training goes on.
inline double accuracy(const Setting& setting, int64_t step, int64_t steps, Draws& noise) {
  const auto done = static_cast<double>(step) / static_cast<double>(steps);
  return quality(setting) * (1 - 0.6 * std::exp(-6 * done)) + 0.02 * (1 - done) * noise.normal();
}

// What every setting of the space is worth: the quality that only a twentieth exceeds.
inline double top_twentieth(const Plan& plan) {
  std::vector<double> all;
  for (int i = 1; i <= 10000; ++i) {
    Draws draws(99, i);
    all.push_back(quality(random_setting(plan, draws)));
  }
  std::sort(all.begin(), all.end(), std::greater<>());
  return all[all.size() / 20];
}

// The setting of a grid that is worth most.
inline Setting best_of_grid(const Plan& plan) {
  Setting best = grid_setting(plan, 0).value();
  for (int64_t i = 1; const auto setting = grid_setting(plan, i); ++i) {
    if (quality(*setting) > quality(best)) best = *setting;
  }
  return best;
}

}  // namespace prefixmem::sweep
