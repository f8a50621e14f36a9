// Settings by how good they are on what they were trained on, and on something else.
#pragma once

#include <vector>

#include "coordinator/sweep/answer.h"

namespace prefixmem::sweep {

// Of every setting that was tested on its own benchmark and on another. Pure.
std::vector<ParetoPoint> pareto_points(const std::vector<Outcome>& outcomes);

}  // namespace prefixmem::sweep
