// Adapters at work side by side on one stream of tokens.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/ops/add_rows.h"
#include "worker/trainer/ops/linear.h"

namespace prefixmem::trainer {

// Consecutive tokens of a stream, whole trees of its segments, and what adapts them; null: nothing.
struct AdapterSpan {
  Adapter* adapter = nullptr;
  int64_t tokens = 0;
  // Layers, from the first of AdapterSpans on, that backward is to compute again rather than have
  // their activations kept; the span that wants most has it done for the whole stream.
  int64_t recomputed = 0;
};

// A span's prefix.
struct PrefixRun {
  int64_t tokens = 0;          // of the span
  std::vector<Prefix> layers;  // empty: none
  int64_t length() const { return layers.empty() ? 0 : layers.front().key.size(0); }
};

// The hooks of Adapter for all tokens of a stream, each span's answered by its own adapter. No
// token's result depends on another span's adapter.
class AdapterSpans {
 public:
  explicit AdapterSpans(std::vector<AdapterSpan> spans);

  bool empty() const;          // no adapter at all
  int64_t recomputed() const;  // the most of a span
  // The first layer that one of them takes part in; past all layers where none does.
  int64_t first_layer() const;
  const std::vector<AdapterSpan>& spans() const { return spans_; }

  // Those of the linear deltas of maps of one input that are of low rank.
  std::vector<LowRankUpdate> low_rank_updates(int64_t layer, const std::vector<Site>& sites,
                                              bool drops) const;
  // call.y with the other linear deltas added; overwrites it, and no backward may have kept it.
  torch::Tensor add_linear_delta(const LinearCall& call) const;
  // `mixed` [T, heads, head_dim] with the attention deltas added.
  torch::Tensor add_attention_delta(int64_t layer, const Queries& queries,
                                    const torch::Tensor& mixed) const;
  // `out` [T, hidden] with the block deltas added.
  torch::Tensor add_block_delta(int64_t layer, const torch::Tensor& x,
                                const torch::Tensor& out) const;

  // Of each span, in order.
  std::vector<PrefixRun> prefixes(torch::Dtype dtype) const;

  // The spans of what index_select(0, rows) leaves of the stream; `rows` are sorted.
  AdapterSpans select(const torch::Tensor& rows) const;

 private:
  template <class Hook>
  std::vector<RowsToAdd> deltas(const Hook& hook) const;

  std::vector<AdapterSpan> spans_;
  std::vector<int64_t> counts_;  // their tokens
};

}  // namespace prefixmem::trainer
