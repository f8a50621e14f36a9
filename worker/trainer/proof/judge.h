// Is a model nearer to a probe's adapted model or to its base?
#pragma once

#include <torch/types.h>

#include <string>

#include "worker/trainer/proof/golden_probe.h"

namespace prefixmem::trainer {

struct Verdict {
  enum class Kind { kApplied, kNotApplied, kInconclusive };
  Kind kind = Kind::kInconclusive;
  // Euclidean distances over the stored logits of all sequences.
  double to_adapted = 0, to_base = 0;
  std::string sentence;
};

// `logits`: probe_logits() of the model in question. `bf16`: it or the probe was computed in bf16,
// so that 1e-2 of the logits' norm is rounding; otherwise 1e-3. Inconclusive where base and adapted
// are no further apart than that, or where the model is nearer to neither than they to each other.
Verdict judge(const GoldenProbe& probe, const torch::Tensor& logits, bool bf16);

}  // namespace prefixmem::trainer
