// The base model: one decoder described by data, for every family.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "common/model/config.h"
#include "common/status.h"
#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/adapters/adapter_spans.h"
#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

class Collective;

struct DecoderOptions {
  torch::Dtype dtype = torch::kBFloat16;  // of weights and activations
  torch::Device device = torch::kCPU;
  // Where given, each of its ranks keeps a part of the layers (ShardedLayers), all of them load the
  // model, and one that computes needs the others to compute too or to be in a call of
  // settled_before_calls(). It outlives the model, and the device is its own.
  Collective* sharded_over = nullptr;
};

// Keys and values of tokens seen so far: of one row, or of a tree of them.
struct RowCache;

// Thread: one at a time. Weights never require gradients and are never written, unless unfreeze()
// is called, which a sharded model refuses.
class Decoder {
 public:
  // Reads config.json and the safetensors of a Hugging Face folder (memory-mapped). Errors:
  // NOT_FOUND (folder, file), INVALID_ARGUMENT (a family or setting that is not supported, by
  // name), DATA_LOSS (truncated or damaged file, tensor missing or of another shape).
  static Result<std::unique_ptr<Decoder>> load(const std::filesystem::path& folder,
                                               const DecoderOptions& options);
  virtual ~Decoder() = default;

  virtual const ModelConfig& config() const = 0;
  virtual const DecoderOptions& options() const = 0;
  // Of a sharded model, valid until another layer is computed or asked for.
  virtual const LinearWeights& linear_weights(int64_t layer, Site site) const = 0;

  // Makes every weight a leaf that requires gradients, of the model's dtype and in memory of its
  // own (never that of a file). By Hugging Face name, in the order of the forward pass, a tied
  // lm_head once; norms as stored, without the family's offset. The tensors are the model's own:
  // what is written to them it computes with.
  virtual std::vector<Parameter> unfreeze() = 0;

  // Final-normed hidden states at `sources` (stream indices, int64 [L]): [L, hidden] in dtype. The
  // adapters take part, each for its own span of the stream, and receive gradients under autograd;
  // below their first layer no graph is recorded. The last layer's output projection and MLP run at
  // `sources` only.
  virtual torch::Tensor hidden(const RaggedBatch& batch, const AdapterSpans& adapters,
                               const torch::Tensor& sources) = 0;
  // One adapter, or null, for the whole stream.
  torch::Tensor hidden(const RaggedBatch& batch, Adapter* adapter, const torch::Tensor& sources) {
    return hidden(batch, AdapterSpans({{adapter, batch.token_count()}}), sources);
  }

  // lm_head: [L, hidden] → fp32 [L, vocab].
  virtual torch::Tensor logits(const torch::Tensor& hidden) = 0;

  // log p(id | hidden) for each row, fp32 [L], differentiable in `hidden`; never holds more than a
  // fixed number of rows of logits at once, in forward or backward.
  virtual torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& ids) = 0;

  // What follows is without gradients. A new cache begins with the adapter's prefix.
  virtual std::shared_ptr<RowCache> new_cache() = 0;
  // A row that goes on from the same tokens.
  virtual std::shared_ptr<RowCache> copy(const RowCache& cache) = 0;
  // Appends tokens[i], at least one, to the row of caches[i], all distinct, and returns the
  // final-normed hidden state of each row's last token: [rows, hidden].
  virtual torch::Tensor extend_rows(const std::vector<RowCache*>& caches,
                                    const std::vector<std::vector<int32_t>>& tokens,
                                    Adapter* adapter) = 0;
  // The same of one row: [1, hidden].
  torch::Tensor extend(RowCache& cache, const std::vector<int32_t>& tokens, Adapter* adapter) {
    return extend_rows({&cache}, {tokens}, adapter);
  }
  // Computes the own tokens of a batch whose earlier segments `tree` has seen, and appends them:
  // hidden() of their label_sources, [L, hidden].
  virtual torch::Tensor grow(RowCache& tree, const RaggedBatch& batch, Adapter* adapter) = 0;
};

}  // namespace prefixmem::trainer
