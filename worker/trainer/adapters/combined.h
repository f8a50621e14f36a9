// Several adapters at once: what each adds is summed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// A part's parameters are called "<part>/<its name>", where a part is called by its method's type.
// Files: the folder <part> of each, as that method alone would write it, and adapter_config.json
// {"method": "combined", "parts": [<part>, …]}.
class CombinedAdapter final : public Adapter {
 public:
  struct Part {
    std::string name;
    std::unique_ptr<Adapter> adapter;
  };
  // At least one part, each name once; at most one of them has a prefix.
  explicit CombinedAdapter(std::vector<Part> parts);

  bool uses_dropout() const override;
  int64_t first_layer() const override;
  torch::Tensor linear_delta(const LinearCall& call) override;
  torch::Tensor attention_delta(int64_t layer, const Queries& queries) override;
  torch::Tensor block_delta(int64_t layer, const torch::Tensor& x) override;
  int64_t prefix_length() const override;
  std::vector<Prefix> prefix(torch::Dtype dtype) override;
  // Their tensors are the parts' own: what is written to one is written to the other.
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  Status load(const std::filesystem::path& folder) override;

 private:
  std::vector<std::string> names() const;

  const std::vector<Part> parts_;
  std::vector<Parameter> parameters_;
};

}  // namespace prefixmem::trainer
