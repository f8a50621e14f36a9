// What people see of the JSON that `pmt-adapter diagnose` writes (docs/diagnostics.md). Throws
// nlohmann's exceptions where it is another one.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/render/line_plot.h"

namespace prefixmem::client {

// A line on what was looked at, a table of what changes in each layer, a table of the terms that
// are added there: means over heads and positions.
std::string diagnosis_text(const nlohmann::json& diagnosis);

// The changes by layer, the decay of each term's eigenvalues, the prefix's mass by position.
std::vector<LinePlot> diagnosis_plots(const nlohmann::json& diagnosis);

}  // namespace prefixmem::client
