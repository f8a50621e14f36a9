// The page at "/": workers and the newest jobs at a glance.
#pragma once

#include <string>
#include <vector>

#include "coordinator/metrics/metrics.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::web {

// A whole HTML document that reloads itself every few seconds and needs nothing else. Pure.
std::string overview_page(const Overview& overview, const std::vector<v1::Job>& newest_jobs);

}  // namespace prefixmem::web
