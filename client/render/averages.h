// The tasks of a suite together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/render/results.h"

namespace prefixmem::client {

// Jobs that differ in the task of one suite and in nothing else that their sweep sets.
struct SuiteAverage {
  std::string suite;
  std::string method;
  std::map<std::string, std::string> settings;  // the sweep's others, by path
  std::string metric;                           // of the first task
  int64_t tasks = 0;
  std::optional<double> before, after;  // means over the tasks; absent where a task has none
};

// Of every suite of which several tasks are there, in the order of their first rows.
std::vector<SuiteAverage> suite_averages(const std::vector<ResultRow>& rows);

}  // namespace prefixmem::client
