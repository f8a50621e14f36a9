// Whether a trial fits the memory that is there.
#pragma once

#include <string>

#include "common/memory/estimate.h"
#include "common/memory/placed.h"
#include "worker/trainer/train/session.h"

namespace prefixmem::trainer {

struct MemoryFit {
  int64_t recomputed_layers = 0;  // as of AdapterSpan
  std::string note;               // for people; empty: nothing worth saying
  int64_t trained = 0;            // bytes of what it trains, with gradients and optimizer
  bool is_enough = true;
};

// The largest pass over these rows. `shared`: trials of a bank fill it up to micro_batch_tokens.
memory::PassSize pass_over(const JobSpec& spec, const std::vector<Example>& rows, bool shared);

// Bytes that each of the `ranks` of a host may take beside the base where all may take `memory`.
// Pure.
int64_t beside_the_base(int64_t memory, int ranks, const JobSpec& spec,
                        const memory::Estimate& base);

// `free`: bytes that each of spec.resources.ranks may take beside the base. Pure. Failures of
// memory::estimate.
Result<MemoryFit> find_fit(const JobSpec& spec, const ModelConfig& model,
                           const memory::PassSize& pass, int64_t free);

}  // namespace prefixmem::trainer
