#include "worker/trainer/ops/token_log_probs.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "worker/trainer/ops/cpu/linear.h"
#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/vocabulary.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kBlockElements = int64_t{1} << 24;  // fp32 logits held at once

using Block = cpu::VocabularyScores;

int64_t block_rows(const torch::Tensor& head) {
  return std::max<int64_t>(1, kBlockElements / head.size(0));
}

// By our products where they run: LibTorch's of bf16 are slow on most processors.
torch::Tensor logits_of(const torch::Tensor& hidden, const torch::Tensor& head) {
  const std::vector<LinearWeights> map{{head, {}}};
  const torch::Tensor logits =
      cpu::runs_linear(hidden, map) ? cpu::linear(hidden, map, {})[0] : at::linear(hidden, head);
  return logits.to(torch::kFloat);
}

// slope · head in fp32, for slopes [m, vocab] of the logits. Summed by blocks: some processors'
// BLAS sums a whole vocabulary one after another and loses digits.
torch::Tensor through_head(const torch::Tensor& slope, const torch::Tensor& head) {
  constexpr int64_t kWords = 8192;
  if (cpu::multiplies(slope, slope.size(0), slope.size(1))) {
    return cpu::multiply_in_parts(slope, head, kWords);
  }
  torch::Tensor sum =
      torch::zeros({slope.size(0), head.size(1)}, slope.options().dtype(torch::kFloat));
  for (int64_t word = 0; word < head.size(0); word += kWords) {
    sum.add_(slope.slice(1, word, word + kWords).matmul(head.slice(0, word, word + kWords)));
  }
  return sum;
}

// ∂ Σ above · log softmax(logits)[column] / ∂ logits, of the softmax, which it overwrites: `above`
// at the column, less the probabilities times it. A likely column's 1 nearly cancels: it has to be
// in whatever sum over the vocabulary follows, not be added to it.
torch::Tensor slope_of(const torch::Tensor& softmax, const torch::Tensor& columns,
                       const torch::Tensor& above) {
  return softmax.mul_(-above).scatter_add_(1, columns, above);
}

// Over the vocabulary, of fp32 logits, which it overwrites. at::softmax adds up a whole vocabulary
// one after another in each lane: beside a likely word the others are lost, and all are 1e-4 off.
torch::Tensor softmax_of(torch::Tensor& logits, const torch::Tensor& normaliser) {
  return logits.sub_(normaliser).exp_();
}

Block score_block(const torch::Tensor& hidden, const torch::Tensor& head, const torch::Tensor& ids,
                  bool with_gradient) {
  torch::Tensor logits = logits_of(hidden, head);
  const torch::Tensor columns = ids.unsqueeze(1);
  const torch::Tensor normaliser = logits.logsumexp(1, true);
  Block block{(logits.gather(1, columns) - normaliser).squeeze(1), {}};
  if (!with_gradient) return block;
  const torch::Tensor softmax = softmax_of(logits, normaliser);
  const torch::Tensor slope = slope_of(softmax, columns, torch::ones_like(normaliser));
  block.gradient = through_head(slope.to(head.scalar_type()), head);
  return block;
}

Block score(const torch::Tensor& hidden, const torch::Tensor& head, const torch::Tensor& ids,
            bool with_gradient) {
  const bool fused = cpu::scores_vocabulary(hidden, head);
  const auto compute = fused ? cpu::score_vocabulary : score_block;
  const int64_t rows = fused ? cpu::kLabelsAtOnce : block_rows(head);
  std::vector<torch::Tensor> log_probs, gradients;
  for (int64_t begin = 0; begin < hidden.size(0); begin += rows) {
    const int64_t end = std::min(begin + rows, hidden.size(0));
    const Block block =
        compute(hidden.slice(0, begin, end), head, ids.slice(0, begin, end), with_gradient);
    log_probs.push_back(block.log_probs);
    if (with_gradient) gradients.push_back(block.gradient);
  }
  return {torch::cat(log_probs), with_gradient ? torch::cat(gradients) : torch::Tensor()};
}

class TokenLogProbs : public torch::autograd::Function<TokenLogProbs> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& hidden,
                               const torch::Tensor& head, const torch::Tensor& ids,
                               bool with_gradient) {
    const Block scores = score(hidden, head, ids, with_gradient);
    if (with_gradient) context->save_for_backward({scores.gradient});
    context->saved_data["dtype"] = hidden.scalar_type();
    return scores.log_probs;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const torch::Tensor jacobian = context->get_saved_variables()[0];
    const auto dtype = context->saved_data["dtype"].toScalarType();
    return {(gradients[0].unsqueeze(1) * jacobian).to(dtype), {}, {}, {}};
  }
};

// Adds slopeᵀ · hidden to the sum [vocab, n]: undefined before the first, fp32 from the second on.
void add_product(torch::Tensor& sum, const torch::Tensor& slope, const torch::Tensor& hidden) {
  if (sum.defined() && hidden.scalar_type() == torch::kFloat) {
    sum.addmm_(slope.t(), hidden);
    return;
  }
  const torch::Tensor product = cpu::multiplies(hidden, hidden.size(0), 2)  // any depth
                                    ? cpu::weight_gradient(slope, hidden)
                                    : slope.t().matmul(hidden);
  sum = sum.defined() ? sum.to(torch::kFloat).add_(product) : product;
}

class TrainedHead : public torch::autograd::Function<TrainedHead> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& hidden,
                               const torch::Tensor& head, const torch::Tensor& ids) {
    context->save_for_backward({hidden, head, ids});
    std::vector<torch::Tensor> log_probs;
    for (int64_t begin = 0; begin < hidden.size(0); begin += block_rows(head)) {
      const int64_t end = begin + block_rows(head);
      log_probs.push_back(
          score_block(hidden.slice(0, begin, end), head, ids.slice(0, begin, end), false)
              .log_probs);
    }
    return torch::cat(log_probs);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &hidden = saved[0], &head = saved[1], &ids = saved[2];
    torch::Tensor of_hidden = torch::empty_like(hidden);
    torch::Tensor of_head;
    for (int64_t begin = 0; begin < hidden.size(0); begin += block_rows(head)) {
      const auto block = [&](const torch::Tensor& x) {
        return x.slice(0, begin, begin + block_rows(head));
      };
      const torch::Tensor above = block(gradients[0]).unsqueeze(1);
      torch::Tensor logits = logits_of(block(hidden), head);
      const torch::Tensor softmax = softmax_of(logits, logits.logsumexp(1, true));
      const torch::Tensor slope =
          slope_of(softmax, block(ids).unsqueeze(1), above).to(head.scalar_type());
      block(of_hidden).copy_(through_head(slope, head));
      add_product(of_head, slope, block(hidden));
    }
    return {of_hidden, of_head.to(head.scalar_type()), {}};
  }
};

}  // namespace

torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& head,
                              const torch::Tensor& ids) {
  if (ids.numel() == 0) return hidden.sum(1).to(torch::kFloat);
  if (head.requires_grad() && torch::GradMode::is_enabled()) {
    return TrainedHead::apply(hidden, head, ids);
  }
  const bool with_gradient = hidden.requires_grad() && torch::GradMode::is_enabled();
  return TokenLogProbs::apply(hidden, head, ids, with_gradient);
}

}  // namespace prefixmem::trainer
