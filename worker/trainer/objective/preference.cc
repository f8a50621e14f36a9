#include "worker/trainer/objective/preference.h"

#include <ATen/ATen.h>

namespace prefixmem::trainer {
namespace {

// Chosen minus rejected: [E] → [E / 2].
torch::Tensor margins(const torch::Tensor& scores) {
  const torch::Tensor pairs = scores.view({-1, 2});
  return pairs.select(1, 0) - pairs.select(1, 1);
}

class PairObjective : public Objective {
 public:
  int64_t units(int64_t examples, int64_t) const override { return examples / 2; }
};

class Dpo final : public PairObjective {
 public:
  explicit Dpo(const DpoObjective& spec) : spec_(spec) {}

  bool has_reference() const override { return true; }
  torch::Tensor loss_sum(const ExampleScores& scores) const override {
    const torch::Tensor ratios = scores.sums - scores.reference_sums;
    if (spec_.loss == DpoObjective::Loss::kIpo) {
      return (margins(ratios / scores.lengths) - 1 / (2 * spec_.beta)).square().sum();
    }
    const torch::Tensor scaled = margins(ratios) * spec_.beta;
    const torch::Tensor losses = at::log_sigmoid(scaled).neg();
    if (spec_.label_smoothing == 0) return losses.sum();
    const torch::Tensor swapped = at::log_sigmoid(-scaled).neg();
    return (losses * (1 - spec_.label_smoothing) + swapped * spec_.label_smoothing).sum();
  }

 private:
  const DpoObjective spec_;
};

class Simpo final : public PairObjective {
 public:
  explicit Simpo(const SimpoObjective& spec) : spec_(spec) {}

  torch::Tensor loss_sum(const ExampleScores& scores) const override {
    const torch::Tensor margin = margins(scores.sums / scores.lengths);
    return at::log_sigmoid(margin * spec_.beta - spec_.gamma).neg().sum();
  }

 private:
  const SimpoObjective spec_;
};

}  // namespace

std::unique_ptr<Objective> make_dpo(const DpoObjective& spec) {
  return std::make_unique<Dpo>(spec);
}

std::unique_ptr<Objective> make_simpo(const SimpoObjective& spec) {
  return std::make_unique<Simpo>(spec);
}

}  // namespace prefixmem::trainer
