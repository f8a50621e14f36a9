// Prefix-Tuning, arXiv 2101.00190, as PEFT has it: trained keys and values before every row's own.
#pragma once

#include <memory>
#include <vector>

#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// The prefix is [p, layers · 2 · key heads · head_dim]: of each token each layer's key, then value.
// Keys are not rotated; the input's positions start at p. A sliding window of w tokens reaches w -
// 1 positions back into the prefix, too: PEFT hands the prefix to transformers as a cache of tokens
// 0 … p-1, whose sliding layers (gemma3, mistral, qwen2) drop and mask it like any other token.
//
// Files are PEFT's own: the flattened prefix as `prompt_embeddings`, and adapter_config.json with
// peft_type PREFIX_TUNING. PEFT keeps no projection there, and neither do we, so the folder always
// says prefix_projection false: it can be trained on as a plain prefix.
class PrefixTuningAdapter final : public Adapter {
 public:
  // random: standard normal (an embedding of torch) and torch's Linear from (seed, name). text: the
  // keys and values that the base computes for the first p tokens of init_text at positions 0 …
  // p-1; needs the context's decoder and codec. INVALID_ARGUMENT where the text has fewer tokens,
  // or the model no more positions than p.
  static Result<std::unique_ptr<PrefixTuningAdapter>> make(const PrefixTuningMethod& method,
                                                           const AdapterContext& context);

  int64_t first_layer() const override { return 0; }
  int64_t prefix_length() const override { return method_.num_virtual_tokens; }
  std::vector<Prefix> prefix(torch::Dtype dtype) override;
  // prompt_embeddings; with prefix_projection instead what it is computed from: an embedding
  // [p, key heads · head_dim], then Linear, tanh, Linear.
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  // Ours or PEFT's. INVALID_ARGUMENT with prefix_projection, whose weights no folder holds.
  Status load(const std::filesystem::path& folder) override;

 private:
  // Of the model.
  struct Sizes {
    int64_t layers, key_heads, head_dim;
    int64_t token() const { return key_heads * head_dim; }
    int64_t flat() const { return layers * 2 * token(); }
  };

  PrefixTuningAdapter(const PrefixTuningMethod& method, const ModelConfig& model);
  Status add_plain(const AdapterContext& context);
  void add_projection(const AdapterContext& context);
  Result<torch::Tensor> computed_from_text(const AdapterContext& context) const;
  void add(const std::string& name, const torch::Tensor& value, torch::Device device);
  torch::Tensor flattened() const;

  const PrefixTuningMethod method_;
  const Sizes sizes_;
  const int64_t inner_;  // width of the projection's hidden layer
  std::vector<Parameter> parameters_;
};

}  // namespace prefixmem::trainer
