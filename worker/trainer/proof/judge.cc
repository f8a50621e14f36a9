#include "worker/trainer/proof/judge.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace prefixmem::trainer {
namespace {

struct Distances {
  double to_adapted = 0, to_base = 0, apart = 0, adapted_norm = 0;
};

Distances distances(const GoldenProbe& probe, const torch::Tensor& logits) {
  Distances sums;
  for (size_t i = 0; i < probe.sequences.size(); ++i) {
    const auto& sequence = probe.sequences[i];
    for (size_t k = 0; k < sequence.top_ids.size(); ++k) {
      const double here = logits[static_cast<int64_t>(i)][sequence.top_ids[k]].item<double>();
      sums.to_adapted += std::pow(here - sequence.adapted[k], 2);
      sums.to_base += std::pow(here - sequence.base[k], 2);
      sums.apart += std::pow(sequence.adapted[k] - sequence.base[k], 2);
      sums.adapted_norm += std::pow(sequence.adapted[k], 2);
    }
  }
  return {std::sqrt(sums.to_adapted), std::sqrt(sums.to_base), std::sqrt(sums.apart),
          std::sqrt(sums.adapted_norm)};
}

}  // namespace

Verdict judge(const GoldenProbe& probe, const torch::Tensor& logits, bool bf16) {
  const Distances d = distances(probe, logits);
  Verdict verdict{Verdict::Kind::kInconclusive, d.to_adapted, d.to_base, ""};
  if (!std::isfinite(d.to_adapted) || !std::isfinite(d.to_base)) {
    verdict.sentence = "the model's logits are not finite";
  } else if (d.apart < (bf16 ? 1e-2 : 1e-3) * d.adapted_norm) {
    verdict.sentence =
        "base and adapted model differ by no more than rounding on the probe's sequences";
  } else if (std::min(d.to_adapted, d.to_base) > d.apart) {
    verdict.sentence =
        "the model is farther from the probe's base and adapted model than they are from each "
        "other: is it another base model than " +
        (probe.base_model.empty() ? "the one trained" : probe.base_model) + "?";
  } else if (d.to_adapted < d.to_base) {
    verdict.kind = Verdict::Kind::kApplied;
    verdict.sentence = "the adapter is applied";
  } else {
    verdict.kind = Verdict::Kind::kNotApplied;
    verdict.sentence = "the adapter is not applied: this is the base model";
  }
  char figures[128];
  std::snprintf(figures, sizeof figures, " (distance %.3g to the adapted model, %.3g to the base)",
                d.to_adapted, d.to_base);
  verdict.sentence += figures;
  return verdict;
}

}  // namespace prefixmem::trainer
