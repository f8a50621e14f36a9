#include "client/render/averages.h"

#include <algorithm>

namespace prefixmem::client {
namespace {

std::string suite_of(const ResultRow& row) {
  const size_t slash = row.benchmark.find('/');
  return slash == std::string::npos ? "" : row.benchmark.substr(0, slash);
}

bool is_in(const ResultRow& row, const SuiteAverage& group) {
  return suite_of(row) == group.suite && row.method == group.method &&
         row.settings == group.settings;
}

// A sum that lacks a value is none.
void add(std::optional<double>& sum, const std::optional<double>& value) {
  if (sum && value) {
    *sum += *value;
  } else {
    sum.reset();
  }
}

}  // namespace

std::vector<SuiteAverage> suite_averages(const std::vector<ResultRow>& rows) {
  std::vector<SuiteAverage> groups;
  for (const ResultRow& row : rows) {
    if (suite_of(row).empty()) continue;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const SuiteAverage& one) { return is_in(row, one); });
    if (group == groups.end()) {
      group = groups.insert(groups.end(),
                            {suite_of(row), row.method, row.settings, row.metric, 0, 0.0, 0.0});
    }
    group->tasks += 1;
    add(group->before, row.before);
    add(group->after, row.after);
  }
  std::erase_if(groups, [](const SuiteAverage& group) { return group.tasks < 2; });
  for (SuiteAverage& group : groups) {
    if (group.before) *group.before /= static_cast<double>(group.tasks);
    if (group.after) *group.after /= static_cast<double>(group.tasks);
  }
  return groups;
}

}  // namespace prefixmem::client
