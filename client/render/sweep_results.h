// What `pmt results SWEEP` prints: mean, deviation and cost of each setting.
#pragma once

#include <string>

#include "client/render/table.h"
#include "prefixmem/v1/sweep.pb.h"

namespace prefixmem::client {

// A row a setting, the best first.
Table setting_table(const v1::SweepResults& results);
// The best setting and what everything has cost, in two lines.
std::string sweep_summary(const v1::SweepResults& results);
// The cost and how many have finished.
std::string cost_summary(const v1::SweepResults& results);
// The same rows with whole numbers, for programs; absent values are empty.
std::string setting_csv(const v1::SweepResults& results);

}  // namespace prefixmem::client
