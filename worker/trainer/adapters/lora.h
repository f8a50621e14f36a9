// LoRA and what grew out of it: W x + s B A x, s = alpha / r, in PEFT's format.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/model/lora_targets.h"
#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// arXiv 2106.09685, with PEFT's options: rank-stabilised (s = alpha / sqrt(r)), DoRA (ops/dora.h;
// its magnitudes m begin at the norms of W's rows), biases of the base, LoRA+ (B and, as in PEFT,
// magnitudes and biases have a learning rate of their own), dropout of the update's input.
//
// Files are PEFT's own: base_model.model.<module>.lora_A.weight [r, in], lora_B.weight [out, r],
// lora_magnitude_vector [out]; biases base_layer.bias under a target, bias elsewhere, [out].
// Parameters are fp32; in a bf16 run A, B and the hidden states are multiplied in bf16, as PEFT
// under autocast does.
class LoraAdapter final : public Adapter {
 public:
  // A uniform in ±1 / sqrt(in), as PEFT's Kaiming-uniform with a = sqrt(5), or normal with
  // deviation 1 / r, from (seed, its name) alone; B zero. DoRA and biases take their initial values
  // from the context's decoder. INVALID_ARGUMENT as find_lora_targets.
  static Result<std::unique_ptr<LoraAdapter>> make(const LoraMethod& method,
                                                   const AdapterContext& context);

  bool uses_dropout() const override { return method_.dropout > 0; }
  int64_t first_layer() const override;
  torch::Tensor linear_delta(const LinearCall& call) override;
  std::optional<LowRank> low_rank(int64_t layer, Site site, bool drops) override;
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  // Takes such folders, PEFT's or ours, of the same r, alpha, use_rslora, use_dora, bias and
  // modules; other variants (patterns of ranks, modules_to_save, …) are refused by name.
  Status load(const std::filesystem::path& folder) override;

 private:
  // What one linear map has: indices into parameters_, or -1.
  struct Module {
    int64_t a = -1, b = -1, magnitude = -1, bias = -1;
    uint64_t place = 0;  // its key for dropout
  };

  LoraAdapter(const LoraMethod& method, LoraTargets targets);
  void add_module(int64_t layer, Site site, const AdapterContext& context);
  void add_update(Module& module, Site site, const std::string& name,
                  const AdapterContext& context);
  // Returns its index.
  int64_t add(const std::string& name, const torch::Tensor& value, double rate_ratio);
  bool trains_bias(int64_t layer, Site site) const;
  LowRank matrices(const Module& module) const;
  torch::Tensor update(const Module& module, const LinearCall& call) const;
  // DoRA's update: base = W x and added = s B A x, [T, out] each.
  torch::Tensor rescaled(const Module& module, const LinearCall& call, const torch::Tensor& base,
                         const torch::Tensor& added) const;

  const LoraMethod method_;
  const double scale_;
  const LoraTargets targets_;
  std::vector<std::array<Module, kSites>> modules_;  // by layer and site
  std::vector<Parameter> parameters_;                // by layer and site: A, B, magnitude, bias
};

}  // namespace prefixmem::trainer
