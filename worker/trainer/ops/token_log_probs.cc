#include "worker/trainer/ops/token_log_probs.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kBlockElements = int64_t{1} << 24;  // fp32 logits held at once

struct Block {
  torch::Tensor log_probs;  // fp32 [rows]
  torch::Tensor gradient;   // fp32 [rows, n], or undefined
};

Block score_block(const torch::Tensor& hidden, const torch::Tensor& head, const torch::Tensor& ids,
                  bool with_gradient) {
  torch::Tensor logits = at::linear(hidden, head).to(torch::kFloat);
  const torch::Tensor columns = ids.unsqueeze(1);
  const torch::Tensor normaliser = logits.logsumexp(1, true);
  Block block{(logits.gather(1, columns) - normaliser).squeeze(1), {}};
  if (!with_gradient) return block;
  const torch::Tensor probabilities = logits.sub_(normaliser).exp_().to(head.scalar_type());
  block.gradient =
      head.index_select(0, ids).to(torch::kFloat) - probabilities.matmul(head).to(torch::kFloat);
  return block;
}

class TokenLogProbs : public torch::autograd::Function<TokenLogProbs> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& hidden,
                               const torch::Tensor& head, const torch::Tensor& ids,
                               bool with_gradient) {
    const int64_t rows = std::max<int64_t>(1, kBlockElements / head.size(0));
    std::vector<torch::Tensor> log_probs, gradients;
    for (int64_t begin = 0; begin < hidden.size(0); begin += rows) {
      const int64_t end = std::min(begin + rows, hidden.size(0));
      const Block block =
          score_block(hidden.slice(0, begin, end), head, ids.slice(0, begin, end), with_gradient);
      log_probs.push_back(block.log_probs);
      if (with_gradient) gradients.push_back(block.gradient);
    }
    if (with_gradient) context->save_for_backward({torch::cat(gradients)});
    context->saved_data["dtype"] = hidden.scalar_type();
    return torch::cat(log_probs);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const torch::Tensor jacobian = context->get_saved_variables()[0];
    const auto dtype = context->saved_data["dtype"].toScalarType();
    return {(gradients[0].unsqueeze(1) * jacobian).to(dtype), {}, {}, {}};
  }
};

}  // namespace

torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& head,
                              const torch::Tensor& ids) {
  if (ids.numel() == 0) return hidden.sum(1).to(torch::kFloat);
  const bool with_gradient = hidden.requires_grad() && torch::GradMode::is_enabled();
  return TokenLogProbs::apply(hidden, head, ids, with_gradient);
}

}  // namespace prefixmem::trainer
