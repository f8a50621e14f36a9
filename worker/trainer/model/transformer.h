// The decoder of every family that ModelConfig describes.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "worker/trainer/model/decoder.h"
#include "worker/trainer/model/row_cache.h"
#include "worker/trainer/model/weights.h"
#include "worker/trainer/ops/rotary.h"

namespace prefixmem::trainer {

// One layer's attention at work on a stream of T tokens; what it refers to lives for the call.
struct AttentionView {
  int64_t layer;
  const torch::Tensor& x;      // [T, hidden], what q_proj, k_proj and v_proj read
  Queries queries;             // [T, heads, head_dim] each
  const torch::Tensor& key;    // [T, key heads, head_dim], rotated; without an adapter's prefix
  const torch::Tensor& value;  // [T, key heads, head_dim]
  const torch::Tensor& mixed;  // [T, heads, head_dim], what o_proj reads: with the adapter's delta
  const torch::Tensor& out;    // [T, hidden], what the block gives
};
using AttentionObserver = std::function<void(const AttentionView&)>;

class Transformer final : public Decoder {
 public:
  // As Decoder::load.
  static Result<std::unique_ptr<Transformer>> load(const std::filesystem::path& folder,
                                                   const DecoderOptions& options);
  Transformer(ModelConfig config, const DecoderOptions& options, ModelWeights weights);

  const ModelConfig& config() const override { return config_; }
  const DecoderOptions& options() const override { return options_; }
  const LinearWeights& linear_weights(int64_t layer, Site site) const override;
  std::vector<Parameter> unfreeze() override;
  using Decoder::hidden;
  torch::Tensor hidden(const RaggedBatch& batch, const AdapterSpans& adapters,
                       const torch::Tensor& sources) override;
  torch::Tensor logits(const torch::Tensor& hidden) override;
  torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& ids) override;
  std::shared_ptr<RowCache> new_cache() override;
  std::shared_ptr<RowCache> copy(const RowCache& cache) override;
  torch::Tensor extend_rows(const std::vector<RowCache*>& caches,
                            const std::vector<std::vector<int32_t>>& tokens,
                            Adapter* adapter) override;
  torch::Tensor grow(RowCache& tree, const RaggedBatch& batch, Adapter* adapter) override;

  // Runs the whole stream without gradients, and shows each layer's attention as it goes by.
  void observe(const RaggedBatch& batch, Adapter* adapter, const AttentionObserver& observer);

  // What brings the layers' weights; null: they are there.
  ShardedLayers* shards() const { return weights_.shards.get(); }

 private:
  // (layer, what every row finds before its own keys and values, query [T, heads, d], key, value
  // [T, key heads, d]) → [T, heads, d]
  using Attend = std::function<torch::Tensor(int64_t, const Prefix&, const torch::Tensor&,
                                             const torch::Tensor&, const torch::Tensor&)>;
  // What the layers of one forward share.
  struct Pass {
    AdapterSpans adapters;
    std::vector<RotaryTables> tables;  // by rope
    Attend attend;
    std::vector<Prefix> prefixes = {};  // by layer, of all spans; empty: none
    torch::Tensor dropout_keys;  // of the tokens that the layer at hand computes; may be undefined
    AttentionObserver observer = {};  // may be empty
  };

  torch::Tensor forward(const RaggedBatch& batch, const AdapterSpans& adapters,
                        const torch::Tensor& sources, const AttentionObserver& observer) const;
  Pass start_pass(AdapterSpans adapters, const torch::Tensor& positions, Attend attend) const;
  torch::Tensor embed(const torch::Tensor& tokens) const;
  // All layers, then the final norm; [rows.numel(), hidden] for distinct stream indices `rows`.
  torch::Tensor run(Pass pass, const torch::Tensor& tokens, const torch::Tensor& rows) const;
  // Of a sharded model: has the layer's weights brought for its forward, and for the backward of
  // what it gave; `first_graph`: the layer at which backward ends.
  void stage(int64_t layer, int64_t first_graph) const;
  void stage_backward(int64_t layer, int64_t first_graph, const torch::Tensor& out) const;
  // One layer. x [T, hidden] → [T, hidden], or [rows, hidden] where `rows` is defined; the pass
  // goes on with those rows.
  torch::Tensor block(int64_t layer, Pass& pass, const Prefix& prefix, const torch::Tensor& x,
                      const torch::Tensor& rows) const;
  torch::Tensor attend(int64_t layer, Pass& pass, const Prefix& prefix, const torch::Tensor& x,
                       const torch::Tensor& rows) const;
  torch::Tensor mlp(int64_t layer, const Pass& pass, const torch::Tensor& x) const;
  // Maps of one input, with what the adapter adds to each.
  std::vector<torch::Tensor> linear(int64_t layer, const std::vector<Site>& sites, const Pass& pass,
                                    const torch::Tensor& x) const;
  torch::Tensor norm(const torch::Tensor& x, const torch::Tensor& weight) const;
  // residual + norm(x)
  torch::Tensor add_norm(const torch::Tensor& residual, const torch::Tensor& x,
                         const torch::Tensor& weight) const;

  const ModelConfig config_;
  const DecoderOptions options_;
  ModelWeights weights_;
  std::vector<torch::Tensor> inverse_frequencies_;  // by rope, fp32 on the device
};

}  // namespace prefixmem::trainer
