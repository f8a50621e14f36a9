// The trained part of a job: one interface, one file a method.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/model/config.h"
#include "common/model/linear_site.h"
#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/model/linear_weights.h"
#include "worker/trainer/ops/linear.h"

namespace prefixmem::trainer {

class Decoder;
class TextCodec;

// A trainable tensor: a leaf that requires gradients, on the model's device; fp32, or of the
// model's dtype where it is one of the model's weights.
struct Parameter {
  std::string name;  // key in adapter_model.safetensors
  torch::Tensor value;
  double learning_rate_ratio = 1;  // its learning rate over train.learning_rate
};

// A frozen linear map at work.
struct LinearCall {
  int64_t layer;
  Site site;
  const torch::Tensor& x;  // [T, in]
  const LinearWeights& frozen;
  const torch::Tensor& dropout_keys;  // of x's tokens, as RaggedBatch has them
  const torch::Tensor& y;             // [T, out], what the frozen map gave; to be read only
};

// Queries after q/k-norm and before the scale, [T, heads, head_dim].
struct Queries {
  const torch::Tensor& before_rotary;
  const torch::Tensor& after_rotary;
};

// What every row's attention finds before its own keys and values: [p, key heads, head_dim] each.
struct Prefix {
  torch::Tensor key, value;
};

// Parameter `index`'s value, flat fp32 on the CPU, on the ranks that write; a collective.
using WholeValue = std::function<Result<torch::Tensor>(size_t index)>;

// Hooks that the decoder calls; each default adds nothing. T: tokens of the stream.
class Adapter {
 public:
  virtual ~Adapter() = default;

  // Whether linear_delta() wants dropout_keys in training.
  virtual bool uses_dropout() const { return false; }

  // Index of the first layer with a hook that does something; below it no graph is needed.
  virtual int64_t first_layer() const = 0;

  // What to add to a frozen linear map's output, or an undefined tensor for nothing: [T, out] in
  // x's dtype.
  virtual torch::Tensor linear_delta(const LinearCall& call);

  // linear_delta() where it is such a product, to be multiplied beside the map: then nobody asks
  // for it. `drops`: whether this pass has dropout_keys.
  virtual std::optional<LowRank> low_rank(int64_t layer, Site site, bool drops);

  // What to add to the attention output before o_proj, or undefined: [T, heads, head_dim].
  virtual torch::Tensor attention_delta(int64_t layer, const Queries& queries);

  // What to add to the attention block's output, after o_proj, or undefined. `x` is the normed
  // input of q_proj, k_proj and v_proj: [T, hidden] → [T, hidden].
  virtual torch::Tensor block_delta(int64_t layer, const torch::Tensor& x);

  // Tokens p of a prefix that is an ancestor of every row: it takes positions 0 … p-1, of sliding
  // windows too, and the rows' own tokens follow at p. 0: there is none.
  virtual int64_t prefix_length() const;

  // Keys (not to be rotated) and values of each layer, in `dtype`; empty where there is no prefix.
  // Called once a forward.
  virtual std::vector<Prefix> prefix(torch::Dtype dtype);

  // Whether the parameters are the model's own weights. Their gradients and fp32 values are then
  // cut over the ranks (train/sharded_optimizer.h).
  virtual bool trains_model() const { return false; }

  // In a fixed order, the same on every rank and after every load.
  virtual std::vector<Parameter>& parameters() = 0;

  // Writes adapter_model.safetensors and adapter_config.json (PEFT's own format for LoRA and
  // Prefix-Tuning) into an existing folder; an adapter of several parts, a folder for each.
  virtual Status save(const std::filesystem::path& folder, const std::string& base_model) const = 0;
  // The same of values that no rank need hold whole: called on every rank, with `folder` empty on
  // those that do not write. Where trains_model(); otherwise it is save().
  virtual Status save_values(const std::filesystem::path& folder, const std::string& base_model,
                             const WholeValue& value) const;
  // Replaces the parameters' values from such a folder.
  virtual Status load(const std::filesystem::path& folder) = 0;

  int64_t parameter_count();
};

// What an adapter is made for.
struct AdapterContext {
  const ModelConfig& model;
  uint64_t seed = 0;
  torch::Device device = torch::kCPU;
  // Of the base, for initial values that come from it; may be null where none do.
  Decoder* decoder = nullptr;
  const TextCodec* codec = nullptr;
};

// Creates the adapter of a spec, initialised from its method.init where that is given, otherwise
// from the seed (the same bits on every rank); null for method none. INVALID_ARGUMENT where the
// model has no such module; errors of the folder as Adapter::load.
Result<std::unique_ptr<Adapter>> make_adapter(const MethodSpec& method,
                                              const AdapterContext& context);

}  // namespace prefixmem::trainer
