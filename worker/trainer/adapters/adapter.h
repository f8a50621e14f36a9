// The trained part of a job: one interface, one file a method.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/model/config.h"

namespace prefixmem::trainer {

// A trainable tensor: a fp32 leaf that requires gradients, on the model's device.
struct Parameter {
  std::string name;  // key in adapter_model.safetensors
  torch::Tensor value;
};

// Where in a layer a frozen linear map stands.
enum class Site { kQ, kK, kV, kO, kGate, kUp, kDown };
std::string_view site_name(Site site);  // "q_proj", … as Hugging Face names them

// Hooks that the decoder calls; each default adds nothing. T: tokens of the stream.
class Adapter {
 public:
  virtual ~Adapter() = default;

  // Index of the first layer with a hook that does something; below it no graph is needed.
  virtual int64_t first_layer() const = 0;

  // What to add to a frozen linear map's output, or an undefined tensor for nothing.
  // x [T, in] → [T, out] in x's dtype.
  virtual torch::Tensor linear_delta(int64_t layer, Site site, const torch::Tensor& x);

  // What to add to the attention output before o_proj, or undefined. `query` after q/k-norm and
  // rotary embedding, before the scale: [T, heads, head_dim] → [T, heads, head_dim].
  virtual torch::Tensor attention_delta(int64_t layer, const torch::Tensor& query);

  // In a fixed order, the same on every rank and after every load.
  virtual std::vector<Parameter>& parameters() = 0;

  // Writes adapter_model.safetensors and adapter_config.json (PEFT's own format for LoRA) into an
  // existing folder.
  virtual Status save(const std::filesystem::path& folder, const std::string& base_model) const = 0;
  // Replaces the parameters' values from such a folder.
  virtual Status load(const std::filesystem::path& folder) = 0;

  int64_t parameter_count();
};

// Creates the adapter of a spec, initialised from `seed` alone (the same bits on every rank); null
// for method none. INVALID_ARGUMENT where the model has no such module.
Result<std::unique_ptr<Adapter>> make_adapter(const MethodSpec& method, const ModelConfig& model,
                                              uint64_t seed, torch::Device device);

}  // namespace prefixmem::trainer
