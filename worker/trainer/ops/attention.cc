#include "worker/trainer/ops/attention.h"

#include <torch/csrc/autograd/custom_function.h>

#include "worker/trainer/ops/attention_kernel.h"
#include "worker/trainer/ops/cpu/attention.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// [T, heads, d] → [1, heads, T, d]
torch::Tensor heads_first(const torch::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); }
torch::Tensor tokens_first(const torch::Tensor& x) { return x.squeeze(0).transpose(0, 1); }

torch::Tensor rows_of(const torch::Tensor& x, const TokenRange& range) {
  return x.narrow(0, range.begin, range.count);
}

torch::Tensor rows_of(const torch::Tensor& x, const std::vector<TokenRange>& ranges) {
  if (ranges.size() == 1) return rows_of(x, ranges.front());
  std::vector<torch::Tensor> rows;
  for (const TokenRange& range : ranges) rows.push_back(rows_of(x, range));
  return torch::cat(rows);
}

// Keys of each group of query heads, once a query head: [S, key heads, d] → [S, heads, d].
torch::Tensor spread(const torch::Tensor& x, int64_t heads) {
  const int64_t group = heads / x.size(1);
  if (group == 1) return x;
  if (x.size(1) == 1) return x.expand({x.size(0), heads, x.size(2)});
  return x.repeat_interleave(group, 1);
}

// The transpose of spread, added to the rows of `sum` that the part's keys are.
void gather(torch::Tensor& sum, const std::vector<TokenRange>& ranges, const torch::Tensor& x) {
  const int64_t key_heads = sum.size(1);
  torch::Tensor rows =
      x.size(1) == key_heads ? x : x.reshape({x.size(0), key_heads, -1, x.size(2)}).sum(2);
  int64_t begin = 0;
  for (const TokenRange& range : ranges) {
    rows_of(sum, range).add_(rows.narrow(0, begin, range.count));
    begin += range.count;
  }
}

AttentionPiece piece_of(const AttentionPart& part, const torch::Tensor& query,
                        const torch::Tensor& key, const torch::Tensor& value, double scale) {
  const int64_t heads = query.size(1);
  return {heads_first(rows_of(query, part.queries)),
          heads_first(spread(rows_of(key, part.keys), heads)),
          heads_first(spread(rows_of(value, part.keys), heads)),
          part.mask,
          part.causal,
          scale};
}

// The plan travels through autograd's boxed arguments.
struct PlanHolder : torch::CustomClassHolder {
  explicit PlanHolder(const AttentionPlan& held) : plan(held) {}
  const AttentionPlan plan;
};

// Out and normaliser, [T, heads, d] and fp32 [T, heads].
cpu::Attended attend_parts(const torch::Tensor& query, const torch::Tensor& key,
                           const torch::Tensor& value, const AttentionPlan& plan, double scale) {
  if (cpu::attends(query, key, plan)) return cpu::attend(query, key, value, plan, scale);
  cpu::Attended attended{
      torch::empty(query.sizes(), query.options()),
      torch::empty({query.size(0), query.size(1)}, query.options().dtype(torch::kFloat))};
  for (const AttentionPart& part : plan) {
    const AttentionOutput piece = attend(piece_of(part, query, key, value, scale));
    rows_of(attended.out, part.queries).copy_(tokens_first(piece.out));
    rows_of(attended.normaliser, part.queries).copy_(piece.normaliser.squeeze(0).t());
  }
  return attended;
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& query,
                               const torch::Tensor& key, const torch::Tensor& value,
                               const AttentionPlan& plan, double scale) {
    const auto [out, normaliser] = attend_parts(query, key, value, plan, scale);
    context->save_for_backward({query, key, value, out, normaliser});
    context->saved_data["plan"] =
        torch::IValue::make_capsule(c10::make_intrusive<PlanHolder>(plan));
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["plan"].toCapsule();
    const auto& plan = static_cast<const PlanHolder&>(*holder).plan;
    const double scale = context->saved_data["scale"].toDouble();
    if (cpu::attends(saved[0], saved[1], plan)) {
      const auto of = cpu::attend_backward(gradients[0], saved[0], saved[1], saved[2],
                                           {saved[3], saved[4]}, plan, scale);
      return {of.query, of.key, of.value, {}, {}};
    }
    torch::Tensor query = torch::empty(saved[0].sizes(), saved[0].options());
    // Wide sums, because a prefix or a shared prompt gathers from many parts.
    const auto wide = at::promote_types(saved[1].scalar_type(), torch::kFloat);
    torch::Tensor key = torch::zeros(saved[1].sizes(), saved[1].options().dtype(wide));
    torch::Tensor value = torch::zeros(saved[2].sizes(), saved[2].options().dtype(wide));
    for (const AttentionPart& part : plan) {
      const AttentionOutput output{heads_first(rows_of(saved[3], part.queries)),
                                   rows_of(saved[4], part.queries).t().contiguous().unsqueeze(0)};
      const AttentionGradients piece =
          attend_backward(piece_of(part, saved[0], saved[1], saved[2], scale), output,
                          heads_first(rows_of(gradients[0], part.queries)));
      rows_of(query, part.queries).copy_(tokens_first(piece.query));
      gather(key, part.keys, tokens_first(piece.key));
      gather(value, part.keys, tokens_first(piece.value));
    }
    return {query, key.to(saved[1].scalar_type()), value.to(saved[2].scalar_type()), {}, {}};
  }
};

}  // namespace

torch::Tensor attention(const torch::Tensor& query, const torch::Tensor& key,
                        const torch::Tensor& value, const AttentionPlan& plan, double scale) {
  return Attention::apply(query, key, value, plan, scale);
}

}  // namespace prefixmem::trainer
