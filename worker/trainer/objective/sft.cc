#include "worker/trainer/objective/sft.h"

#include <ATen/ATen.h>

namespace prefixmem::trainer {
namespace {

class Sft final : public Objective {
 public:
  int64_t units(int64_t, int64_t label_tokens) const override { return label_tokens; }
  torch::Tensor loss_sum(const ExampleScores& scores) const override {
    return scores.sums.sum().neg();
  }
};

}  // namespace

std::unique_ptr<Objective> make_sft() { return std::make_unique<Sft>(); }

}  // namespace prefixmem::trainer
