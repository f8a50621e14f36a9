#include "worker/trainer/adapters/adapter_spans.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "worker/trainer/ops/add_rows.h"

namespace prefixmem::trainer {
namespace {

std::vector<torch::Tensor> split(const torch::Tensor& x, const std::vector<int64_t>& counts) {
  if (!x.defined()) return std::vector<torch::Tensor>(counts.size());
  if (counts.size() == 1) return {x};
  return x.split_with_sizes(counts);
}

}  // namespace

AdapterSpans::AdapterSpans(std::vector<AdapterSpan> spans) : spans_(std::move(spans)) {
  for (const AdapterSpan& span : spans_) counts_.push_back(span.tokens);
}

bool AdapterSpans::empty() const {
  return std::all_of(spans_.begin(), spans_.end(),
                     [](const AdapterSpan& span) { return span.adapter == nullptr; });
}

int64_t AdapterSpans::recomputed() const {
  int64_t most = 0;
  for (const AdapterSpan& span : spans_) most = std::max(most, span.recomputed);
  return most;
}

int64_t AdapterSpans::first_layer() const {
  int64_t first = std::numeric_limits<int64_t>::max();
  for (const AdapterSpan& span : spans_) {
    if (span.adapter != nullptr) first = std::min(first, span.adapter->first_layer());
  }
  return first;
}

// hook(adapter, index of its span) → its delta or undefined.
template <class Hook>
std::vector<RowsToAdd> AdapterSpans::deltas(const Hook& hook) const {
  std::vector<RowsToAdd> deltas;
  int64_t begin = 0;
  for (size_t i = 0; i < spans_.size(); ++i) {
    if (spans_[i].adapter != nullptr && spans_[i].tokens > 0) {
      torch::Tensor delta = hook(*spans_[i].adapter, i);
      if (delta.defined()) deltas.push_back({begin, std::move(delta)});
    }
    begin += spans_[i].tokens;
  }
  return deltas;
}

std::vector<LowRankUpdate> AdapterSpans::low_rank_updates(int64_t layer,
                                                          const std::vector<Site>& sites,
                                                          bool drops) const {
  std::vector<LowRankUpdate> updates;
  int64_t begin = 0;
  for (const auto& [adapter, tokens, recomputed] : spans_) {
    for (size_t map = 0; adapter != nullptr && tokens > 0 && map < sites.size(); ++map) {
      auto product = adapter->low_rank(layer, sites[map], drops);
      if (product) updates.push_back({map, begin, tokens, *std::move(product)});
    }
    begin += tokens;
  }
  return updates;
}

torch::Tensor AdapterSpans::add_linear_delta(const LinearCall& call) const {
  if (empty()) return call.y;
  const auto x = split(call.x, counts_), y = split(call.y, counts_),
             keys = split(call.dropout_keys, counts_);
  return add_rows_in_place(
      call.y, deltas([&](Adapter& adapter, size_t i) {
        const bool drops = call.dropout_keys.defined();
        if (adapter.low_rank(call.layer, call.site, drops)) return torch::Tensor();
        return adapter.linear_delta({call.layer, call.site, x[i], call.frozen, keys[i], y[i]});
      }));
}

torch::Tensor AdapterSpans::add_attention_delta(int64_t layer, const Queries& queries,
                                                const torch::Tensor& mixed) const {
  if (empty()) return mixed;
  const auto before = split(queries.before_rotary, counts_),
             after = split(queries.after_rotary, counts_);
  return add_rows(mixed, deltas([&](Adapter& adapter, size_t i) {
                    return adapter.attention_delta(layer, {before[i], after[i]});
                  }));
}

torch::Tensor AdapterSpans::add_block_delta(int64_t layer, const torch::Tensor& x,
                                            const torch::Tensor& out) const {
  if (empty()) return out;
  const auto parts = split(x, counts_);
  return add_rows(out, deltas([&](Adapter& adapter, size_t i) {
                    return adapter.block_delta(layer, parts[i]);
                  }));
}

std::vector<PrefixRun> AdapterSpans::prefixes(torch::Dtype dtype) const {
  std::vector<PrefixRun> runs;
  for (const AdapterSpan& span : spans_) {
    PrefixRun run{span.tokens, {}};
    if (span.adapter != nullptr) run.layers = span.adapter->prefix(dtype);
    runs.push_back(std::move(run));
  }
  return runs;
}

AdapterSpans AdapterSpans::select(const torch::Tensor& rows) const {
  if (spans_.size() == 1)
    return AdapterSpans({{spans_.front().adapter, rows.numel(), spans_.front().recomputed}});
  std::vector<int64_t> ends;
  int64_t end = 0;
  for (const int64_t count : counts_) ends.push_back(end += count);
  const torch::Tensor places = at::searchsorted(rows, at::tensor(ends, rows.options())).cpu();
  const auto place = places.accessor<int64_t, 1>();
  std::vector<AdapterSpan> selected;
  int64_t begin = 0;
  for (size_t i = 0; i < spans_.size(); ++i) {
    const int64_t next = place[static_cast<int64_t>(i)];
    selected.push_back({spans_[i].adapter, next - begin, spans_[i].recomputed});
    begin = next;
  }
  return AdapterSpans(std::move(selected));
}

}  // namespace prefixmem::trainer
