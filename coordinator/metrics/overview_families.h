// The gauges of an overview.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "coordinator/metrics/metrics.h"

namespace prefixmem {

// Every job state has a series, also with 0; a worker that is forgotten has none. Pure.
std::vector<prometheus::MetricFamily> families_of(const Overview& overview);

}  // namespace prefixmem
