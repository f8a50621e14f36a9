// The answer that a sweep gives: methods by benchmarks, each at its best setting.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/sweep/paired_test.h"
#include "coordinator/sweep/results.h"

namespace prefixmem::sweep {

// What a column of scores is of.
struct Benchmark {
  std::string trained_on = {};  // empty: no benchmark
  std::string tested_on = {};
  std::string suite = {};  // of a task; empty: it is of none
  bool operator==(const Benchmark&) const = default;
};

// A method on a benchmark: the tests of the setting that a search has found. Of a search that does
// not test, the setting with the best mean, which then looks better than it is: it was chosen by
// these scores. Of one that has not tested yet that mean is `validation`, and there is no other.
struct Cell {
  GoalSpec goal = {};
  std::optional<double> mean = {};  // over the finished trials of that setting
  std::optional<double> sd = {};
  int seeds = 0;                          // finished trials
  Setting setting = {};                   // what was chosen
  std::optional<double> validation = {};  // mean of the setting where it was or may be chosen
  std::string best_job = {};
  Cost cost = {};                         // of all trials, those of the search too
  std::map<Setting, double> scores = {};  // by seeds
};

// The mean of a suite's tasks; the deviation is that of this mean over the seeds.
struct Average {
  std::string suite = {};
  int tasks = 0;
  std::optional<double> mean = {};  // none unless every task has one
  std::optional<double> sd = {};
};

// Against the baseline, paired over benchmarks and seeds. A method that runs with one seed alone
// stands in each pair.
struct Comparison {
  PairedTest test = {};
  int pairs = 0;               // equal scores included
  double mean_difference = 0;  // above 0: better than the baseline, of a loss too
};

struct Row {
  std::string method = {};
  std::vector<Cell> cells = {};               // one a benchmark
  std::vector<Average> averages = {};         // one a suite with two tasks or more
  std::optional<Comparison> comparison = {};  // none of the baseline, or without a pair
  Cost cost = {};
};

// A setting tested on what it was trained on and on something else.
struct ParetoPoint {
  std::string method = {};
  std::string trained_on = {};
  Setting setting = {};
  double inside = 0;      // mean score on its own benchmark
  double outside = 0;     // mean of the mean scores on others
  bool on_front = false;  // no point of the same benchmark is as good in both and better in one
};

struct Answer {
  std::vector<Benchmark> benchmarks = {};
  std::string baseline = {};  // its method; empty: there is no row
  bool tested = false;        // whether scores are tests of what searches have found
  std::vector<Row> rows = {};
  std::vector<ParetoPoint> pareto = {};
};

// Rows and columns in the order of their first trials. `baseline`: a method; where it is none of
// the sweep's, or empty, the first. Pure.
Answer answer(const std::vector<Outcome>& outcomes, const std::string& baseline);

}  // namespace prefixmem::sweep
