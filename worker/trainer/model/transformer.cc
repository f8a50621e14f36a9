#include "worker/trainer/model/transformer.h"

#include <ATen/ATen.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <algorithm>
#include <map>

#include "worker/trainer/model/config_file.h"
#include "worker/trainer/model/row_extension.h"
#include "worker/trainer/model/sharded_layers.h"
#include "worker/trainer/model/weight_slots.h"
#include "worker/trainer/ops/attention.h"
#include "worker/trainer/ops/gated_activation.h"
#include "worker/trainer/ops/linear.h"
#include "worker/trainer/ops/math_library.h"
#include "worker/trainer/ops/recomputed.h"
#include "worker/trainer/ops/rms_norm.h"
#include "worker/trainer/ops/token_log_probs.h"

namespace prefixmem::trainer {
namespace {

// A plan for each window that the layers have.
std::map<int64_t, AttentionPlan> plan_layers(const ModelConfig& config,
                                             const std::function<AttentionPlan(int64_t)>& plan) {
  std::map<int64_t, AttentionPlan> plans;
  for (const LayerConfig& layer : config.layers) {
    if (plans.count(layer.sliding_window) == 0) {
      plans.emplace(layer.sliding_window, plan(layer.sliding_window));
    }
  }
  return plans;
}

// Positions of a batch's tokens behind the prefixes of their spans.
torch::Tensor shifted(const torch::Tensor& positions, const std::vector<PrefixRun>& prefixes) {
  std::vector<torch::Tensor> runs;
  int64_t begin = 0;
  for (const PrefixRun& run : prefixes) {
    runs.push_back(positions.narrow(0, begin, run.tokens) + run.length());
    begin += run.tokens;
  }
  return at::cat(runs);
}

std::vector<PrefixSpan> spans_of(const std::vector<PrefixRun>& prefixes) {
  std::vector<PrefixSpan> spans;
  for (const PrefixRun& run : prefixes) spans.push_back({run.tokens, run.length()});
  return spans;
}

// Each layer's prefix keys and values of all runs; empty where none has any.
std::vector<Prefix> joined(const std::vector<PrefixRun>& runs, int64_t layers) {
  std::vector<Prefix> prefixes;
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::vector<torch::Tensor> keys, values;
    for (const PrefixRun& run : runs) {
      if (run.length() == 0) continue;
      keys.push_back(run.layers[layer].key);
      values.push_back(run.layers[layer].value);
    }
    if (keys.empty()) return {};
    prefixes.push_back({at::cat(keys), at::cat(values)});
  }
  return prefixes;
}

torch::Tensor behind(const torch::Tensor& prefix, const torch::Tensor& stream) {
  return prefix.defined() ? at::cat({prefix, stream}) : stream;
}

void begin_with(const std::vector<Prefix>& prefixes, RowCache& cache) {
  if (prefixes.empty()) return;
  for (size_t layer = 0; layer < prefixes.size(); ++layer) {
    cache.write(static_cast<int64_t>(layer), prefixes[layer].key, prefixes[layer].value);
  }
  cache.length = prefixes.front().key.size(0);
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::load(const std::filesystem::path& folder,
                                               const DecoderOptions& options) {
  PM_ASSIGN(std::unique_ptr<Decoder> decoder, Transformer::load(folder, options));
  return decoder;
}

Result<std::unique_ptr<Transformer>> Transformer::load(const std::filesystem::path& folder,
                                                       const DecoderOptions& options) {
  PM_ASSIGN(ModelConfig config, load_model_config(folder));
  PM_ASSIGN(ModelWeights weights, load_weights(folder, config, options));
  return std::make_unique<Transformer>(std::move(config), options, std::move(weights));
}

Transformer::Transformer(ModelConfig config, const DecoderOptions& options, ModelWeights weights)
    : config_(std::move(config)), options_(options), weights_(std::move(weights)) {
  settle_math_library();
  for (const Rope& rope : config_.ropes) {
    inverse_frequencies_.push_back(
        at::tensor(rope.inv_freq, at::kDouble).to(options_.device, at::kFloat));
  }
}

const LinearWeights& Transformer::linear_weights(int64_t layer, Site site) const {
  if (weights_.shards && !weights_.shards->has(layer)) weights_.shards->need(layer, {});
  return weights_.layers[layer].linear[static_cast<size_t>(site)];
}

std::vector<Parameter> Transformer::unfreeze() {
  TORCH_CHECK(!weights_.shards, "a sharded model cannot be trained as a whole");
  std::vector<Parameter> parameters;
  for (const WeightSlot& slot : weight_slots(weights_, config_)) {
    torch::Tensor& tensor = *slot.tensor;
    tensor = tensor.to(options_.dtype, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
    parameters.push_back({slot.name, tensor});
  }
  if (config_.tie_word_embeddings) weights_.head = weights_.embedding;
  return parameters;
}

torch::Tensor Transformer::hidden(const RaggedBatch& batch, const AdapterSpans& adapters,
                                  const torch::Tensor& sources) {
  return forward(batch, adapters, sources, {});
}

void Transformer::observe(const RaggedBatch& batch, Adapter* adapter,
                          const AttentionObserver& observer) {
  const torch::NoGradGuard no_grad;
  const int64_t count = batch.token_count();
  forward(batch, AdapterSpans({{adapter, count}}), at::arange(count, batch.tokens.options()),
          observer);
}

torch::Tensor Transformer::forward(const RaggedBatch& batch, const AdapterSpans& adapters,
                                   const torch::Tensor& sources,
                                   const AttentionObserver& observer) const {
  const auto prefixes = adapters.prefixes(options_.dtype);
  // Held as long as backward may ask for a layer again.
  const auto plans = std::make_shared<const std::map<int64_t, AttentionPlan>>(
      plan_layers(config_, [&](int64_t window) {
        return plan_attention(batch.segments, {window, spans_of(prefixes), options_.device});
      }));
  Pass pass = start_pass(
      adapters, shifted(batch.positions, prefixes),
      [this, plans](int64_t layer, const Prefix& prefix, const torch::Tensor& query,
                    const torch::Tensor& key, const torch::Tensor& value) {
        return attention(query, behind(prefix.key, key), behind(prefix.value, value),
                         plans->at(config_.layers[layer].sliding_window), config_.attention_scale);
      });
  pass.prefixes = joined(prefixes, config_.num_layers);
  pass.dropout_keys = batch.dropout_keys;
  pass.observer = observer;
  const auto [rows, where] = at::_unique(sources, true, true);
  return run(std::move(pass), batch.tokens, rows).index_select(0, where);
}

torch::Tensor Transformer::logits(const torch::Tensor& hidden) {
  return at::linear(hidden, weights_.head).to(at::kFloat);
}

torch::Tensor Transformer::token_log_probs(const torch::Tensor& hidden, const torch::Tensor& ids) {
  return trainer::token_log_probs(hidden, weights_.head, ids);
}

std::shared_ptr<RowCache> Transformer::new_cache() {
  return std::make_shared<RowCache>(config_.num_layers);
}

std::shared_ptr<RowCache> Transformer::copy(const RowCache& cache) {
  return std::make_shared<RowCache>(cache.copy());
}

torch::Tensor Transformer::extend_rows(const std::vector<RowCache*>& caches,
                                       const std::vector<std::vector<int32_t>>& tokens,
                                       Adapter* adapter) {
  const torch::NoGradGuard no_grad;
  const auto is_new = [](const RowCache* cache) { return cache->length == 0; };
  if (adapter != nullptr && std::any_of(caches.begin(), caches.end(), is_new)) {
    const auto prefix = adapter->prefix(options_.dtype);
    for (RowCache* cache : caches) {
      if (is_new(cache)) begin_with(prefix, *cache);
    }
  }
  RowExtension rows(caches, tokens, options_.device);
  Pass pass = start_pass(AdapterSpans({{adapter, rows.tokens().numel()}}), rows.positions(),
                         [&](int64_t layer, const Prefix&, const torch::Tensor& query,
                             const torch::Tensor& key, const torch::Tensor& value) {
                           return rows.attend(layer, query, key, value,
                                              config_.layers[layer].sliding_window,
                                              config_.attention_scale);
                         });
  torch::Tensor last = run(std::move(pass), rows.tokens(), rows.last());
  rows.finish();
  return last;
}

torch::Tensor Transformer::grow(RowCache& tree, const RaggedBatch& batch, Adapter* adapter) {
  const torch::NoGradGuard no_grad;
  const int64_t prefix = adapter == nullptr ? 0 : adapter->prefix_length();
  if (prefix > 0 && tree.length == 0) begin_with(adapter->prefix(options_.dtype), tree);
  const int64_t count = batch.token_count(), end = tree.length + count;
  const auto plans = plan_layers(config_, [&](int64_t window) {
    return plan_growth(batch.segments, batch.first_segment,
                       {window, {{end - prefix, prefix}}, options_.device});
  });
  Pass pass = start_pass(AdapterSpans({{adapter, count}}), batch.positions + prefix,
                         [&](int64_t layer, const Prefix&, const torch::Tensor& query,
                             const torch::Tensor& key, const torch::Tensor& value) {
                           tree.write(layer, key, value);
                           return attention(query, tree.keys(layer, end), tree.values(layer, end),
                                            plans.at(config_.layers[layer].sliding_window),
                                            config_.attention_scale);
                         });
  const auto [rows, where] = at::_unique(batch.label_sources, true, true);
  const torch::Tensor hidden = run(std::move(pass), batch.tokens, rows).index_select(0, where);
  tree.length = end;
  return hidden;
}

Transformer::Pass Transformer::start_pass(AdapterSpans adapters, const torch::Tensor& positions,
                                          Attend attend) const {
  Pass pass{std::move(adapters), {}, std::move(attend), {}, {}, {}};
  for (size_t i = 0; i < config_.ropes.size(); ++i) {
    pass.tables.push_back(
        rotary_tables(positions, inverse_frequencies_[i], config_.ropes[i].attention_factor));
  }
  return pass;
}

torch::Tensor Transformer::embed(const torch::Tensor& tokens) const {
  torch::Tensor x = at::embedding(weights_.embedding, tokens);
  if (config_.embedding_scale == 1) return x;
  return x.mul_(at::scalar_tensor(config_.embedding_scale, x.options()));
}

torch::Tensor Transformer::run(Pass pass, const torch::Tensor& tokens,
                               const torch::Tensor& rows) const {
  const int64_t recomputed_layers = at::GradMode::is_enabled() ? pass.adapters.recomputed() : 0;
  const int64_t first_graph = pass.adapters.first_layer();
  const auto kept = std::make_shared<Pass>(std::move(pass));
  const auto prefix_at = [&](int64_t layer) {
    return kept->prefixes.empty() ? Prefix() : kept->prefixes[layer];
  };
  torch::Tensor x = embed(tokens);
  const int64_t last = config_.num_layers - 1;  // little of it is kept, and it changes the pass
  for (int64_t layer = 0; layer < last; ++layer) {
    stage(layer, first_graph);
    if (layer >= first_graph && layer - first_graph < recomputed_layers) {
      x = recomputed(x, prefix_at(layer).key, prefix_at(layer).value,
                     [this, kept, layer](const std::vector<torch::Tensor>& in) {
                       return block(layer, *kept, {in[1], in[2]}, in[0], {});
                     });
    } else {
      x = block(layer, *kept, prefix_at(layer), x, {});
    }
    stage_backward(layer, first_graph, x);
  }
  Pass ends = *kept;
  stage(last, first_graph);
  x = block(last, ends, prefix_at(last), x, rows);
  stage_backward(last, first_graph, x);
  return norm(x, weights_.final_norm);
}

// Forward goes up, backward down to the first layer that has a graph, and the next pass begins at
// the bottom.
void Transformer::stage(int64_t layer, int64_t first_graph) const {
  if (!weights_.shards) return;
  const bool turns = at::GradMode::is_enabled() && layer > first_graph;
  const int64_t behind_last = turns ? layer - 1 : 0;
  weights_.shards->need(layer, layer + 1 < config_.num_layers ? layer + 1 : behind_last);
}

void Transformer::stage_backward(int64_t layer, int64_t first_graph,
                                 const torch::Tensor& out) const {
  if (!weights_.shards || !out.requires_grad()) return;
  out.register_hook([shards = weights_.shards, layer, first_graph](const torch::Tensor&) {
    shards->need(layer, layer > first_graph ? layer - 1 : 0);
  });
}

torch::Tensor Transformer::block(int64_t layer, Pass& pass, const Prefix& prefix,
                                 const torch::Tensor& x, const torch::Tensor& rows) const {
  const LayerWeights& weights = weights_.layers[layer];
  const torch::Tensor attended =
      attend(layer, pass, prefix, norm(x, weights.before_attention), rows);
  const torch::Tensor kept = rows.defined() ? x.index_select(0, rows) : x;
  const torch::Tensor middle = add_norm(kept, attended, weights.after_attention);
  const torch::Tensor changed = mlp(layer, pass, norm(middle, weights.before_mlp));
  return add_norm(middle, changed, weights.after_mlp);
}

torch::Tensor Transformer::attend(int64_t layer, Pass& pass, const Prefix& prefix,
                                  const torch::Tensor& x, const torch::Tensor& rows) const {
  const LayerWeights& weights = weights_.layers[layer];
  const RotaryTables& tables = pass.tables[config_.layers[layer].rope];
  const auto projected = linear(layer, {Site::kQ, Site::kK, Site::kV}, pass, x);
  const auto by_head = [&](size_t i) { return projected[i].unflatten(-1, {-1, config_.head_dim}); };
  torch::Tensor unrotated = norm(by_head(0), weights.query_norm);
  torch::Tensor query = rotate(unrotated, tables);
  const torch::Tensor key = rotate(norm(by_head(1), weights.key_norm), tables), value = by_head(2);
  torch::Tensor mixed = pass.attend(layer, prefix, query, key, value);
  if (rows.defined()) {
    for (torch::Tensor* tensor : {&mixed, &query, &unrotated, &pass.dropout_keys}) {
      if (tensor->defined()) *tensor = tensor->index_select(0, rows);
    }
    pass.adapters = pass.adapters.select(rows);
  }
  mixed = pass.adapters.add_attention_delta(layer, {unrotated, query}, mixed);
  torch::Tensor out = linear(layer, {Site::kO}, pass, mixed.flatten(1))[0];
  if (!pass.adapters.empty()) {
    out = pass.adapters.add_block_delta(layer, rows.defined() ? x.index_select(0, rows) : x, out);
  }
  if (pass.observer) pass.observer({layer, x, {unrotated, query}, key, value, mixed, out});
  return out;
}

torch::Tensor Transformer::mlp(int64_t layer, const Pass& pass, const torch::Tensor& x) const {
  const auto wide = linear(layer, {Site::kGate, Site::kUp}, pass, x);
  const torch::Tensor gated = gated_activation(wide[0], wide[1], config_.activation);
  return linear(layer, {Site::kDown}, pass, gated)[0];
}

std::vector<torch::Tensor> Transformer::linear(int64_t layer, const std::vector<Site>& sites,
                                               const Pass& pass, const torch::Tensor& x) const {
  std::vector<LinearWeights> maps;
  for (const Site site : sites) maps.push_back(linear_weights(layer, site));
  std::vector<torch::Tensor> out = trainer::linear(
      x, maps, pass.adapters.low_rank_updates(layer, sites, pass.dropout_keys.defined()));
  for (size_t i = 0; i < sites.size(); ++i) {
    out[i] =
        pass.adapters.add_linear_delta({layer, sites[i], x, maps[i], pass.dropout_keys, out[i]});
  }
  return out;
}

torch::Tensor Transformer::add_norm(const torch::Tensor& residual, const torch::Tensor& x,
                                    const torch::Tensor& weight) const {
  if (!weight.defined()) return residual + x;
  return add_rms_norm(residual, x, weight, config_.rms_norm_eps, config_.norm_offset);
}

torch::Tensor Transformer::norm(const torch::Tensor& x, const torch::Tensor& weight) const {
  return weight.defined() ? rms_norm(x, weight, config_.rms_norm_eps, config_.norm_offset) : x;
}

}  // namespace prefixmem::trainer
