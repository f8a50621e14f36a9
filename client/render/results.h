// The table that compares jobs: what `pmt results` prints.
#pragma once

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
  v1::JobState state = v1::JOB_STATE_QUEUED;
  std::string metric;            // accuracy | exact_match | loss, of held-out rows
  std::optional<double> before;  // before the first step; for method none, its only score
  std::optional<double> after;   // the last score after training; for method none, its only one
  std::optional<double> loss;    // of the last step
  std::optional<double> tokens_per_second;
  int64_t trainable_parameters = 0;
  std::optional<double> wall_seconds;
  std::string adapter;  // where it lies; empty: there is none
};

ResultRow result_row(const v1::Job& job, std::string adapter);

// The column titles name the metric where all rows have the same one.
Table result_table(const std::vector<ResultRow>& rows);
// {"jobs": [...]}; keys are those of ResultRow, absent values null.
std::string result_json(const std::vector<ResultRow>& rows);

}  // namespace prefixmem::client
