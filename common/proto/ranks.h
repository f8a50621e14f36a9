// With how many ranks a job may run.
#pragma once

#include <cstdint>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem {

// The fewest that will do: all that it wants, unless it gives min_ranks.
inline int64_t fewest_ranks(const v1::ResourcesSpec& resources) {
  return resources.has_min_ranks() ? resources.min_ranks() : resources.ranks();
}

}  // namespace prefixmem
