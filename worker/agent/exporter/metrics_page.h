// The worker's /metrics.
#pragma once

#include <string>

namespace prometheus {
class Registry;
}

namespace prefixmem::agent {

// All series in Prometheus' text format.
std::string metrics_page(const prometheus::Registry& registry);

}  // namespace prefixmem::agent
