#include "worker/trainer/ops/add_rows.h"

#include <torch/csrc/autograd/custom_function.h>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class AddRows : public torch::autograd::Function<AddRows> {
 public:
  static torch::Tensor forward(AutogradContext* context, torch::Tensor x, at::TensorList values,
                               const std::vector<int64_t>& begins, bool in_place) {
    std::vector<int64_t> counts;
    if (in_place) {
      context->mark_dirty({x});
    } else {
      x = x.clone();
    }
    for (size_t i = 0; i < values.size(); ++i) {
      counts.push_back(values[i].size(0));
      x.narrow(0, begins[i], counts.back()).add_(values[i]);
    }
    context->saved_data["begins"] = begins;
    context->saved_data["counts"] = counts;
    return x;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto begins = context->saved_data["begins"].toIntVector();
    const auto counts = context->saved_data["counts"].toIntVector();
    variable_list result{gradients[0]};
    for (size_t i = 0; i < begins.size(); ++i) {
      result.push_back(gradients[0].narrow(0, begins[i], counts[i]));
    }
    result.insert(result.end(), 2, torch::Tensor());
    return result;
  }
};

torch::Tensor add(const torch::Tensor& x, const std::vector<RowsToAdd>& runs, bool in_place) {
  if (runs.empty()) return x;
  if (const torch::Tensor& first = runs.front().values; first.size(0) == x.size(0)) {
    return in_place ? x.add_(first) : x + first;
  }
  std::vector<torch::Tensor> values;
  std::vector<int64_t> begins;
  for (const RowsToAdd& run : runs) {
    values.push_back(run.values);
    begins.push_back(run.begin);
  }
  return AddRows::apply(x, at::TensorList(values), begins, in_place);
}

}  // namespace

torch::Tensor add_rows(const torch::Tensor& x, const std::vector<RowsToAdd>& runs) {
  return add(x, runs, false);
}

torch::Tensor add_rows_in_place(const torch::Tensor& x, const std::vector<RowsToAdd>& runs) {
  return add(x, runs, true);
}

}  // namespace prefixmem::trainer
