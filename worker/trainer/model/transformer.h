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

class Transformer final : public Decoder {
 public:
  Transformer(ModelConfig config, const DecoderOptions& options, ModelWeights weights);

  const ModelConfig& config() const override { return config_; }
  const DecoderOptions& options() const override { return options_; }
  const LinearWeights& linear_weights(int64_t layer, Site site) const override {
    return weights_.layers[layer].linear[static_cast<size_t>(site)];
  }
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

 private:
  // (layer, query [T, heads, d], key, value [T, key heads, d]) → [T, heads, d]
  using Attend = std::function<torch::Tensor(int64_t, const torch::Tensor&, const torch::Tensor&,
                                             const torch::Tensor&)>;
  // What the layers of one forward share.
  struct Pass {
    AdapterSpans adapters;
    std::vector<RotaryTables> tables;  // by rope
    Attend attend;
    torch::Tensor dropout_keys;  // of the tokens that the layer at hand computes; may be undefined
  };

  Pass start_pass(AdapterSpans adapters, const torch::Tensor& positions, Attend attend) const;
  torch::Tensor embed(const torch::Tensor& tokens) const;
  // All layers, then the final norm; [rows.numel(), hidden] for distinct stream indices `rows`.
  torch::Tensor run(Pass pass, const torch::Tensor& tokens, const torch::Tensor& rows) const;
  // One layer. x [T, hidden] → [T, hidden], or [rows, hidden] where `rows` is defined; the pass
  // goes on with those rows.
  torch::Tensor block(int64_t layer, Pass& pass, const torch::Tensor& x,
                      const torch::Tensor& rows) const;
  torch::Tensor attend(int64_t layer, Pass& pass, const torch::Tensor& x,
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
