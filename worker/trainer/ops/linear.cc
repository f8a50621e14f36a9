#include "worker/trainer/ops/linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "worker/trainer/ops/add_rows.h"
#include "worker/trainer/ops/cpu/linear.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What travels through autograd's boxed arguments.
struct Call : torch::CustomClassHolder {
  explicit Call(std::vector<LinearWeights> all, std::vector<LowRankUpdate> trained = {})
      : maps(std::move(all)), updates(std::move(trained)) {}
  const std::vector<LinearWeights> maps;
  const std::vector<LowRankUpdate> updates;
  std::vector<cpu::JoinedUpdates> joined;  // made by the forward
};

variable_list plain_products(const torch::Tensor& x, const std::vector<LinearWeights>& maps) {
  variable_list out;
  for (const auto& [weight, bias] : maps) out.push_back(at::linear(x, weight, bias));
  return out;
}

// Σ gradient · weight
torch::Tensor plain_sum(const variable_list& gradients, const std::vector<LinearWeights>& maps) {
  torch::Tensor sum = at::mm(gradients[0], maps[0].weight);
  for (size_t i = 1; i < maps.size(); ++i) sum.addmm_(gradients[i], maps[i].weight);
  return sum;
}

class PlainLinear : public torch::autograd::Function<PlainLinear> {
 public:
  static variable_list forward(AutogradContext* context, const torch::Tensor& x,
                               const c10::intrusive_ptr<Call>& call) {
    context->saved_data["call"] = torch::IValue::make_capsule(call);
    return plain_products(x, call->maps);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto holder = context->saved_data["call"].toCapsule();
    return {plain_sum(gradients, static_cast<const Call&>(*holder).maps), {}};
  }
};

variable_list without_gaps(const variable_list& tensors) {
  variable_list out;
  for (const torch::Tensor& tensor : tensors) out.push_back(cpu::without_gaps(tensor));
  return out;
}

class FusedLinear : public torch::autograd::Function<FusedLinear> {
 public:
  // `trained`: a and b of each update.
  static variable_list forward(AutogradContext* context, const torch::Tensor& x,
                               at::TensorList trained, const c10::intrusive_ptr<Call>& call) {
    const torch::Tensor rows = cpu::without_gaps(x);
    call->joined = cpu::join_updates(rows, call->updates);
    context->saved_data["call"] = torch::IValue::make_capsule(call);
    if (!trained.empty()) context->save_for_backward({rows});
    return cpu::linear(rows, call->maps, call->joined);
  }

  static variable_list backward(AutogradContext* context, const variable_list& above) {
    const auto holder = context->saved_data["call"].toCapsule();
    const auto& call = static_cast<const Call&>(*holder);
    const auto saved = context->get_saved_variables();
    const variable_list gradients = without_gaps(above);
    const auto of = cpu::linear_backward(gradients, saved.empty() ? torch::Tensor() : saved[0],
                                         call.maps, call.joined, context->needs_input_grad(0));
    variable_list result{of.x};
    for (size_t i = 0; i < call.updates.size(); ++i) {
      const auto& [a, b, scale] = call.updates[i].by;
      result.push_back(of.a[i].narrow(0, 0, a.size(0)));
      result.push_back(of.b[i].narrow(1, 0, b.size(1)));
      if (scale != 1) result.back().mul_(scale);
    }
    result.emplace_back();
    return result;
  }
};

variable_list fused_linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps,
                           const std::vector<LowRankUpdate>& updates) {
  variable_list trained;
  for (const LowRankUpdate& update : updates) {
    trained.push_back(update.by.a);
    trained.push_back(update.by.b);
  }
  return FusedLinear::apply(x, at::TensorList(trained), c10::make_intrusive<Call>(maps, updates));
}

// Gradients of the maps' weights, too.
class TrainedLinear : public torch::autograd::Function<TrainedLinear> {
 public:
  // `trained`: the weight of each map, then the biases that there are.
  static variable_list forward(AutogradContext* context, const torch::Tensor& x,
                               at::TensorList /*trained*/, const c10::intrusive_ptr<Call>& call) {
    const torch::Tensor rows = cpu::without_gaps(x);
    context->saved_data["call"] = torch::IValue::make_capsule(call);
    context->save_for_backward({rows});
    return cpu::linear(rows, call->maps, {});
  }

  static variable_list backward(AutogradContext* context, const variable_list& above) {
    const auto holder = context->saved_data["call"].toCapsule();
    const auto& maps = static_cast<const Call&>(*holder).maps;
    const torch::Tensor rows = context->get_saved_variables()[0];
    const variable_list gradients = without_gaps(above);
    variable_list result{
        cpu::linear_backward(gradients, rows, maps, {}, context->needs_input_grad(0)).x};
    for (size_t i = 0; i < maps.size(); ++i) {
      const bool wanted = context->needs_input_grad(1 + i);
      result.push_back(wanted ? cpu::weight_gradient(gradients[i], rows) : torch::Tensor());
    }
    for (size_t i = 0; i < maps.size(); ++i) {
      if (maps[i].bias.defined()) result.push_back(gradients[i].sum(0));
    }
    result.emplace_back();
    return result;
  }
};

variable_list trained_linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps) {
  variable_list trained;
  for (const LinearWeights& map : maps) trained.push_back(map.weight);
  for (const LinearWeights& map : maps) {
    if (map.bias.defined()) trained.push_back(map.bias);
  }
  return TrainedLinear::apply(x, at::TensorList(trained), c10::make_intrusive<Call>(maps));
}

// Without updates.
variable_list products(const torch::Tensor& x, const std::vector<LinearWeights>& maps,
                       bool trained) {
  if (!trained) {
    return PlainLinear::apply(x, c10::make_intrusive<Call>(maps));
  }
  return cpu::runs_linear(x, maps) ? trained_linear(x, maps) : plain_products(x, maps);
}

bool is_trained(const LinearWeights& map) {
  return map.weight.requires_grad() || (map.bias.defined() && map.bias.requires_grad());
}

}  // namespace

torch::Tensor low_rank_product(const torch::Tensor& x, const LowRank& by) {
  const torch::Tensor inner = at::linear(x, by.a.to(x.scalar_type()));
  return at::linear(inner * by.scale, by.b.to(x.scalar_type()));
}

std::vector<torch::Tensor> linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps,
                                  const std::vector<LowRankUpdate>& updates) {
  const bool trained = std::any_of(maps.begin(), maps.end(), is_trained);
  if (!trained && cpu::runs_linear(x, maps)) return fused_linear(x, maps, updates);
  variable_list out = products(x, maps, trained);
  for (const LowRankUpdate& update : updates) {
    torch::Tensor& y = out[update.map];
    const torch::Tensor rows = x.narrow(0, update.begin, update.count);
    y = add_rows_in_place(y, {{update.begin, low_rank_product(rows, update.by)}});
  }
  return out;
}

}  // namespace prefixmem::trainer
