// A model small enough to reason about: the hidden state of a token is its embedding plus the mean
// of the embeddings before it on its path, plus a trained vector. It obeys the Decoder's contract.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "worker/trainer/data/encode.h"
#include "worker/trainer/model/decoder.h"

namespace prefixmem::trainer {

// Adds `bias` to hidden states; two parameters, so that flat buffers have something to lay out.
class ToyAdapter : public Adapter {
 public:
  // `sharded`: says that it is the model's weights.
  explicit ToyAdapter(int64_t hidden, bool sharded = false) : sharded_(sharded) {
    parameters_.push_back({"toy.shift", torch::zeros({hidden}).requires_grad_()});
    parameters_.push_back({"toy.gain", torch::ones({2, hidden / 2}).requires_grad_()});
  }
  int64_t first_layer() const override { return 0; }
  bool trains_model() const override { return sharded_; }
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path&, const std::string&) const override { return {}; }
  Status load(const std::filesystem::path&) override { return {}; }

 private:
  const bool sharded_;
  std::vector<Parameter> parameters_;
};

class ToyDecoder : public Decoder {
 public:
  static constexpr int64_t kVocab = 32, kHidden = 8;

  ToyDecoder() : embedding_(make_embedding()) {}

  const ModelConfig& config() const override { return config_; }
  const DecoderOptions& options() const override { return options_; }
  const LinearWeights& linear_weights(int64_t, Site) const override { return none_; }

  std::vector<Parameter> unfreeze() override { return {}; }
  using Decoder::hidden;
  torch::Tensor hidden(const RaggedBatch& batch, const AdapterSpans& adapters,
                       const torch::Tensor& sources) override {
    std::vector<torch::Tensor> sums;  // over each segment's path, per token
    std::vector<torch::Tensor> ends;
    for (const Segment& segment : batch.segments) {
      const auto ids = batch.tokens.slice(0, segment.begin, segment.begin + segment.length);
      torch::Tensor sum = embedding_.index_select(0, ids).cumsum(0);
      if (segment.parent >= 0) sum = sum + ends[segment.parent];
      ends.push_back(sum[segment.length - 1]);
      sums.push_back(sum);
    }
    const torch::Tensor mean = torch::cat(sums) / (batch.positions + 1).unsqueeze(1);
    const torch::Tensor x = mean + embedding_.index_select(0, batch.tokens);
    std::vector<torch::Tensor> adapted;
    int64_t begin = 0;
    for (const AdapterSpan& span : adapters.spans()) {
      adapted.push_back(adapt(x.narrow(0, begin, span.tokens), span.adapter));
      begin += span.tokens;
    }
    return torch::cat(adapted).index_select(0, sources);
  }

  torch::Tensor logits(const torch::Tensor& hidden) override {
    return hidden.matmul(embedding_.t());
  }

  torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& ids) override {
    return logits(hidden).log_softmax(1).gather(1, ids.unsqueeze(1)).squeeze(1);
  }

  // The cache is the row so far. RowCache belongs to the real decoder, so it is only a name here.
  std::shared_ptr<RowCache> new_cache() override {
    auto row = std::make_shared<Row>();
    return {row, reinterpret_cast<RowCache*>(row.get())};
  }
  std::shared_ptr<RowCache> copy(const RowCache& cache) override {
    auto row = std::make_shared<Row>(reinterpret_cast<const Row&>(cache));
    return {row, reinterpret_cast<RowCache*>(row.get())};
  }
  torch::Tensor extend_rows(const std::vector<RowCache*>& caches,
                            const std::vector<std::vector<int32_t>>& tokens,
                            Adapter* adapter) override {
    RaggedBuilder builder;
    for (size_t i = 0; i < caches.size(); ++i) {
      auto& row = reinterpret_cast<Row&>(*caches[i]);
      row.insert(row.end(), tokens[i].begin(), tokens[i].end());
      builder.label(builder.add(row), -1, 0);
      ++reads;
    }
    const RaggedBatch batch = std::move(builder).build();
    return hidden(batch, adapter, batch.label_sources);
  }

  torch::Tensor grow(RowCache& tree, const RaggedBatch& batch, Adapter* adapter) override {
    auto& stream = reinterpret_cast<Row&>(tree);
    const auto before = static_cast<int64_t>(stream.size());
    for (int64_t t = 0; t < batch.token_count(); ++t) {
      stream.push_back(static_cast<int32_t>(batch.tokens[t].item<int64_t>()));
    }
    RaggedBuilder all;
    for (const Segment& segment : batch.segments) {
      const auto first = stream.begin() + segment.begin;
      all.add({first, first + segment.length}, segment.parent);
    }
    return hidden(std::move(all).build(), adapter, batch.label_sources + before);
  }

  int64_t reads = 0;  // rows that extend_rows was given so far

 private:
  using Row = std::vector<int32_t>;

  static torch::Tensor make_embedding() {
    return torch::arange(kVocab * kHidden, torch::kFloat32).mul(0.7).sin().view({kVocab, kHidden});
  }
  static torch::Tensor adapt(const torch::Tensor& x, Adapter* adapter) {
    if (adapter == nullptr) return x;
    const auto& parameters = adapter->parameters();
    return x * parameters[1].value.reshape({kHidden}) + parameters[0].value;
  }

  const torch::Tensor embedding_;
  const ModelConfig config_{};
  const LinearWeights none_{};
  const DecoderOptions options_{.dtype = torch::kFloat32};
};

// Rows of 3 to 20 tokens, about half of them labels, the same on every call.
inline std::vector<Example> toy_rows(int64_t count) {
  std::vector<Example> rows;
  uint32_t state = 12345;
  const auto draw = [&](uint32_t below) {
    state = state * 1664525U + 1013904223U;
    return (state >> 16) % below;
  };
  for (int64_t i = 0; i < count; ++i) {
    Example row;
    row.line = i + 1;
    const uint32_t length = 3 + draw(18);
    for (uint32_t t = 0; t < length; ++t)
      row.ids.push_back(static_cast<int32_t>(draw(ToyDecoder::kVocab)));
    row.prompt_tokens = 1 + draw(length - 1);
    rows.push_back(row);
  }
  return rows;
}

}  // namespace prefixmem::trainer
