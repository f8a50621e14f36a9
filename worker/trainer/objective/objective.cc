#include "worker/trainer/objective/objective.h"

#include <ATen/ATen.h>

#include "worker/trainer/objective/preference.h"
#include "worker/trainer/objective/sft.h"

namespace prefixmem::trainer {
namespace {

struct Maker {
  std::unique_ptr<Objective> operator()(const SftObjective&) const { return make_sft(); }
  std::unique_ptr<Objective> operator()(const DpoObjective& spec) const { return make_dpo(spec); }
  std::unique_ptr<Objective> operator()(const SimpoObjective& spec) const {
    return make_simpo(spec);
  }
};

}  // namespace

std::unique_ptr<Objective> make_objective(const ObjectiveSpec& spec) {
  return std::visit(Maker{}, spec);
}

torch::Tensor sum_by_example(const torch::Tensor& log_probs, const std::vector<int64_t>& lengths) {
  std::vector<torch::Tensor> sums;
  for (const torch::Tensor& part : log_probs.split_with_sizes(lengths)) sums.push_back(part.sum());
  return at::stack(sums);
}

}  // namespace prefixmem::trainer
