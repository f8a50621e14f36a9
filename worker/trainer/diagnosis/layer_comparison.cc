#include "worker/trainer/diagnosis/layer_comparison.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

namespace prefixmem::trainer {
namespace {

double squared_norm(const torch::Tensor& x) {
  return x.to(at::kDouble).square().sum().item<double>();
}

// The base's map beside one with a prefix: nothing is on it.
torch::Tensor without_prefix(const torch::Tensor& map, int64_t prefix) {
  return at::cat({at::zeros({map.size(0), prefix}, map.options()), map}, 1);
}

}  // namespace

void PositionMean::add(const torch::Tensor& values) {
  const auto count = static_cast<size_t>(values.numel());
  if (sums_.size() < count) {
    sums_.resize(count);
    counts_.resize(count);
  }
  const torch::Tensor flat = values.contiguous();
  const double* const at = flat.const_data_ptr<double>();
  for (size_t i = 0; i < count; ++i) {
    sums_[i] += at[i];
    ++counts_[i];
  }
}

double PositionMean::mean() const {
  const auto count = std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
  return std::accumulate(sums_.begin(), sums_.end(), 0.0) / static_cast<double>(count);
}

std::vector<double> PositionMean::by_position() const {
  std::vector<double> means;
  for (size_t i = 0; i < sums_.size(); ++i) {
    means.push_back(sums_[i] / static_cast<double>(counts_[i]));
  }
  return means;
}

void LayerComparison::Norms::add(const torch::Tensor& adapted_part,
                                 const torch::Tensor& base_part) {
  change += squared_norm(adapted_part.to(at::kDouble) - base_part);
  base += squared_norm(base_part);
}

double LayerComparison::Norms::ratio() const { return std::sqrt(change / base); }

LayerComparison::LayerComparison(const ModelConfig& config, int64_t layer)
    : heads_(config.num_attention_heads),
      group_(heads_ / config.num_key_value_heads),
      window_(config.layers[layer].sliding_window),
      scale_(config.attention_scale),
      of_head_(heads_) {}

torch::Tensor LayerComparison::add_maps(int64_t head, const AttentionRecord& base,
                                        const AttentionRecord& adapted) {
  const auto map_of = [&](const AttentionRecord& record) {
    return attention_map(record.query.select(1, head), record.key.select(1, head / group_), window_,
                         scale_);
  };
  const AttentionMap before = map_of(base), after = map_of(adapted);
  const int64_t prefix = after.whole.size(1) - after.input.size(1);
  const torch::Tensor change = total_variation(after.whole, without_prefix(before.whole, prefix));
  of_head_[head].map_change.add(change);
  of_head_[head].input_map_change.add(total_variation(after.input, before.input));
  of_head_[head].prefix_mass.add(after.prefix_mass);
  map_change_.add(change);
  prefix_mass_.add(after.prefix_mass);
  const torch::Tensor values = adapted.value.select(1, head / group_).narrow(0, 0, prefix);
  return after.whole.narrow(1, 0, prefix).matmul(values.to(at::kDouble));
}

void LayerComparison::add(const AttentionRecord& base, const AttentionRecord& adapted) {
  const auto keep = [&](Term::Kind kind, const torch::Tensor& term) {
    terms_[static_cast<size_t>(kind)].push_back(term);
  };
  output_.add(adapted.out, base.out);
  std::vector<torch::Tensor> prefix_term;
  for (int64_t head = 0; head < heads_; ++head) {
    of_head_[head].output.add(adapted.attended.select(1, head), base.attended.select(1, head));
    prefix_term.push_back(add_maps(head, base, adapted));
  }
  if (adapted.key.size(0) > base.key.size(0)) {
    keep(Term::Kind::kPrefix, at::stack(prefix_term, 1));
  }
  if (adapted.head_term.defined()) keep(Term::Kind::kMemory, adapted.head_term);
  if (adapted.hidden_term.defined()) {
    keep(Term::Kind::kHiddenMemory, adapted.hidden_term.unsqueeze(1));
  }
}

Term LayerComparison::term_of(Term::Kind kind) const {
  Term term{kind, {}, {}};
  const torch::Tensor all = at::cat(terms_[static_cast<size_t>(kind)]);
  for (int64_t head = 0; head < all.size(1); ++head) {
    const torch::Tensor values = all.select(1, head);
    const Norms& output = kind == Term::Kind::kHiddenMemory ? output_ : of_head_[head].output;
    term.sizes.push_back(std::sqrt(squared_norm(values) / output.base));
    term.spectra.push_back(spectrum_of(values));
  }
  return term;
}

LayerDiagnosis LayerComparison::result() const {
  LayerDiagnosis layer;
  layer.output_change = output_.ratio();
  for (const Head& head : of_head_) {
    layer.heads.push_back({head.output.ratio(), head.map_change.mean(),
                           head.input_map_change.mean(), head.prefix_mass.mean()});
  }
  layer.map_change_by_position = map_change_.by_position();
  layer.prefix_mass_by_position = prefix_mass_.by_position();
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (!terms_[kind].empty()) layer.terms.push_back(term_of(static_cast<Term::Kind>(kind)));
  }
  return layer;
}

}  // namespace prefixmem::trainer
