#include "worker/trainer/ops/linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Frozen maps travel through autograd's boxed arguments.
struct Maps : torch::CustomClassHolder {
  explicit Maps(std::vector<LinearWeights> held) : maps(std::move(held)) {}
  const std::vector<LinearWeights> maps;
};

variable_list plain_products(const torch::Tensor& x, const std::vector<LinearWeights>& maps) {
  variable_list out;
  for (const auto& [weight, bias] : maps) out.push_back(at::linear(x, weight, bias));
  return out;
}

variable_list products(const torch::Tensor& x, const std::vector<LinearWeights>& maps) {
  if (!cpu::multiplies(x, x.size(0), x.size(1))) return plain_products(x, maps);
  variable_list out;
  const torch::Tensor rows = cpu::without_gaps(x).unsqueeze(0);
  std::vector<cpu::Product> all;
  for (const auto& [weight, bias] : maps) {
    out.push_back(at::empty({x.size(0), weight.size(0)}, x.options()));
    all.push_back({{{rows, weight.t().unsqueeze(0)}},
                   out.back().unsqueeze(0),
                   bias.defined() ? bias.to(torch::kFloat) : bias});
  }
  cpu::multiply(all);
  return out;
}

// Σ gradient · weight
torch::Tensor sum_of_products(const variable_list& gradients,
                              const std::vector<LinearWeights>& maps) {
  const bool fused = std::all_of(gradients.begin(), gradients.end(), [](const auto& gradient) {
    return cpu::multiplies(gradient, gradient.size(0), gradient.size(1));
  });
  if (!fused) {
    torch::Tensor sum = at::mm(gradients[0], maps[0].weight);
    for (size_t i = 1; i < maps.size(); ++i) sum.addmm_(gradients[i], maps[i].weight);
    return sum;
  }
  cpu::Product product;
  for (size_t i = 0; i < maps.size(); ++i) {
    product.terms.push_back(
        {cpu::without_gaps(gradients[i]).unsqueeze(0), maps[i].weight.unsqueeze(0)});
  }
  torch::Tensor sum =
      at::empty({gradients[0].size(0), maps[0].weight.size(1)}, gradients[0].options());
  product.out = sum.unsqueeze(0);
  cpu::multiply({product});
  return sum;
}

class FrozenLinear : public torch::autograd::Function<FrozenLinear> {
 public:
  static variable_list forward(AutogradContext* context, const torch::Tensor& x,
                               const c10::intrusive_ptr<Maps>& maps) {
    context->saved_data["maps"] = torch::IValue::make_capsule(maps);
    return products(x, maps->maps);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto holder = context->saved_data["maps"].toCapsule();
    return {sum_of_products(gradients, static_cast<const Maps&>(*holder).maps), {}};
  }
};

bool is_trained(const LinearWeights& map) {
  return map.weight.requires_grad() || (map.bias.defined() && map.bias.requires_grad());
}

}  // namespace

std::vector<torch::Tensor> linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps) {
  if (std::none_of(maps.begin(), maps.end(), is_trained)) {
    return FrozenLinear::apply(x, c10::make_intrusive<Maps>(maps));
  }
  return plain_products(x, maps);
}

}  // namespace prefixmem::trainer
