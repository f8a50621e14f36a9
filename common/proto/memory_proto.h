// Predictions of memory as they are answered.
#pragma once

#include "common/memory/estimate.h"
#include "common/memory/placed.h"
#include "prefixmem/v1/job.pb.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem {

// Of one rank of the fewest that it may run on, with the largest micro-batch that its spec allows,
// as it is and with every layer's activations computed again. Failures of memory::estimate.
Result<v1::JobMemory> job_memory(JobSpec spec, const ModelConfig& model);

v1::PlacedMemory to_proto(const memory::Placed& placed);

}  // namespace prefixmem
