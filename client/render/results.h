// The table that compares jobs: what `pmt results` prints.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/render/table.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::client {

// One job's row. What is not known is absent.
struct ResultRow {
  std::string job;  // id
  std::string name;
  std::string method;
  std::string benchmark;                        // what it is tested on; empty: no benchmark
  std::map<std::string, std::string> settings;  // what its sweep sets besides, by path
  v1::JobState state = v1::JOB_STATE_QUEUED;
  std::string metric;            // of held-out rows, as eval.metric spells it
  std::optional<double> before;  // before the first step; for method none, its only score
  std::optional<double> after;   // the last score after training; for method none, its only one
  std::optional<double> loss;    // of the last step
  std::optional<double> tokens_per_second;
  int64_t trainable_parameters = 0;
  std::optional<double> wall_seconds;
  std::string adapter;  // where it lies; empty: there is none
};

ResultRow result_row(const v1::Job& job, std::string adapter);

// The column titles name the metric where all rows have the same one. Below the jobs stand the
// averages of suites (averages.h).
Table result_table(const std::vector<ResultRow>& rows);
// {"jobs": [...], "averages": [...]}; keys are those of ResultRow and SuiteAverage, absent values
// null.
std::string result_json(const std::vector<ResultRow>& rows);

}  // namespace prefixmem::client
