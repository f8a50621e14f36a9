#include "worker/trainer/ops/recomputed.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr size_t kInputs = 3;  // x, key, value

// The part travels through autograd's boxed arguments.
struct PartHolder : torch::CustomClassHolder {
  explicit PartHolder(const Recomputable& held) : part(held) {}
  const Recomputable part;
};

using Optional = std::optional<torch::Tensor>;

torch::Tensor value_of(const Optional& tensor) { return tensor.value_or(torch::Tensor()); }

// `always` requires a gradient, so that the result does where only leaves within the part do. Of
// the optional inputs either all are there or none is: needs_input_grad() counts those that are.
class Recomputed : public torch::autograd::Function<Recomputed> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& a, const Optional& b,
                               const Optional& c, const torch::Tensor& always,
                               const Recomputable& part) {
    (void)always;
    const variable_list inputs = {a, value_of(b), value_of(c)};
    context->save_for_backward(inputs);
    context->saved_data["part"] = c10::IValue::make_capsule(c10::make_intrusive<PartHolder>(part));
    return part(inputs);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list inputs = context->get_saved_variables();
    for (size_t i = 0; i < kInputs; ++i) {
      if (!inputs[i].defined()) continue;
      inputs[i] = inputs[i].detach().requires_grad_(context->needs_input_grad(i));
    }
    const auto holder = context->saved_data["part"].toCapsule();
    {
      const torch::AutoGradMode with_graph(true);
      const torch::Tensor result = static_cast<const PartHolder&>(*holder).part(inputs);
      torch::autograd::backward({result}, {gradients[0]});
    }
    variable_list out;
    for (const torch::Tensor& input : inputs) {
      out.push_back(input.defined() ? input.grad() : torch::Tensor());
    }
    out.resize(kInputs + 2);
    return out;
  }
};

}  // namespace

torch::Tensor recomputed(const torch::Tensor& x, const torch::Tensor& key,
                         const torch::Tensor& value, const Recomputable& part) {
  const torch::Tensor always = at::zeros({}, at::kFloat).requires_grad_();
  const auto optional = [](const torch::Tensor& tensor) {
    return tensor.defined() ? Optional(tensor) : std::nullopt;
  };
  return Recomputed::apply(x, optional(key), optional(value), always, part);
}

}  // namespace prefixmem::trainer
