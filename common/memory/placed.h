// What a job is placed by: the memory that its ranks need of a host or of GPUs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/memory/estimate.h"

namespace prefixmem::memory {

// Whether ranks of a host that computes without GPUs have one copy of the base together: its file's
// pages. Files have bf16 as a rule, so that other weights are a copy of each rank's own.
bool shares_weights(const JobSpec& spec);

// Bytes, rounded up a little, so that jobs that are nearly alike are placed alike.
struct Placed {
  int64_t host_shared = 0;  // of a host that computes without GPUs, once for all ranks there
  int64_t host_rank = 0;    // of such a host, each rank, whichever jobs its gang trains
  int64_t gpu_rank = 0;     // of its GPU, each rank, whichever jobs its gang trains
  int64_t own = 0;          // each rank, for this job beside others of its gang
};

// On the fewest ranks, with all activations computed again where the spec allows that.
// `shares_gang`: its micro-batches are filled by others too. Failures of estimate().
Result<Placed> placed(JobSpec spec, const ModelConfig& model, bool shares_gang);

// Settings of the spec with which it would fit, "train.activation_checkpointing: auto", none where
// none of those that leave the result as it is does.
std::string settings_that_fit(const JobSpec& spec, const ModelConfig& model, bool shares_gang,
                              const std::function<bool(const JobSpec&, const Placed&)>& fits);

}  // namespace prefixmem::memory
