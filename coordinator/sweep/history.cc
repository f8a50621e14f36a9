#include "coordinator/sweep/history.h"

namespace prefixmem::sweep {

std::optional<double> score(const Trial& trial) {
  if (trial.reports.empty()) return std::nullopt;
  return trial.reports.back().value;
}

}  // namespace prefixmem::sweep
