// What the API says of a sweep, from its jobs as they stand.
#pragma once

#include <string>
#include <vector>

#include "prefixmem/v1/job.pb.h"
#include "prefixmem/v1/sweep.pb.h"

namespace prefixmem {

// `jobs`: of the sweep, in their order. `baseline`: the method that the others are compared with;
// empty: the first.
v1::SweepResults results_of(v1::Sweep sweep, const std::vector<v1::Job>& jobs,
                            const std::string& baseline = "");

}  // namespace prefixmem
