// Searches for tests to look at: plans from YAML, trials, spaces drawn at random.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/spec/spec_io.h"
#include "coordinator/sweep/history.h"
#include "coordinator/sweep/plan.h"
#include "coordinator/sweep/record.h"

namespace prefixmem::sweep {

// `sweep` is the YAML of the block.
inline JobSpec search_spec(const std::string& sweep) {
  auto spec = parse_job_spec(
      "name: a\nmodel: /m\ndata: {train: t, eval: e}\n"
      "train: {max_steps: 100, eval_every: 1}\nsweep: " +
      sweep);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? *spec : JobSpec();
}

inline SweepPlan whole_plan(const std::string& sweep) {
  auto planned = plan_of(search_spec(sweep));
  EXPECT_TRUE(planned.ok()) << planned.status().message();
  return planned.ok() ? std::move(planned).value() : SweepPlan();
}

// Of the first search.
inline Plan plan(const std::string& sweep) {
  const SweepPlan whole = whole_plan(sweep);
  return whole.searches.empty() ? Plan() : whole.searches.front().plan;
}

inline const std::string kMixedSpace =
    "space: {method: [lora, prefix_memory, none],"
    " method.r: {type: int, low: 1, high: 64, log: true, when: {method: [lora]}},"
    " method.alpha: {type: log_uniform, low: 1, high: 64, when: {method: [lora]}},"
    " train.max_steps: {type: choice, values: [null], when: {method: [none]}},"
    " train.learning_rate: {type: log_uniform, low: 1e-5, high: 1e-1},"
    " train.warmup_steps: {type: int, low: 0, high: 20},"
    " train.weight_decay: {type: uniform, low: 0, high: 0.5}}";

inline Trial trial(int number, TrialState state, std::vector<Report> reports = {}) {
  return {.number = number, .state = state, .reports = std::move(reports)};
}

}  // namespace prefixmem::sweep
