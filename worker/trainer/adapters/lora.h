// LoRA, arXiv 2106.09685: W x + (alpha / r) B A x, in PEFT's format.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// Files are PEFT's own: base_model.model.model.layers.{i}.self_attn.q_proj.lora_A.weight [r, in]
// and lora_B.weight [out, r]. Weights are fp32; in a bf16 run they and the hidden states are
// multiplied in bf16, as PEFT under autocast does.
class LoraAdapter final : public Adapter {
 public:
  // A uniform in ±1 / sqrt(in) from (seed, its name) alone, as PEFT's Kaiming-uniform with
  // a = sqrt(5); B zero. INVALID_ARGUMENT where target_modules is empty or names no such module.
  static Result<std::unique_ptr<LoraAdapter>> make(const LoraMethod& method,
                                                   const AdapterContext& context);

  int64_t first_layer() const override { return 0; }
  torch::Tensor linear_delta(const LinearCall& call) override;
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  // Takes PEFT's own folders of plain LoRA with the same r, alpha and modules; refuses variants
  // (DoRA, rank-stabilised, biases, patterns of ranks, …) by name.
  Status load(const std::filesystem::path& folder) override;

 private:
  LoraAdapter(const LoraMethod& method, std::vector<Site> targets);
  void add_pair(int64_t layer, Site site, const AdapterContext& context);

  const LoraMethod method_;
  const std::vector<Site> targets_;
  std::vector<Parameter> parameters_;            // A, B, A, B, … by layer and site
  std::vector<std::array<int64_t, kSites>> at_;  // by layer and site: index of A, or -1
};

}  // namespace prefixmem::trainer
