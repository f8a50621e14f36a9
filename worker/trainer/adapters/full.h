// Full fine-tuning: what is trained is the model itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// Adds nothing to any hook. Parameters are the decoder's weights by their Hugging Face names; a
// norm's is w, also where the model multiplies with 1 + w. Training begins at their values in
// train.dtype. The result is no adapter but a model
// folder like the base's.
class FullAdapter final : public Adapter {
 public:
  // Unfreezes `context.decoder`, which must outlive this.
  static std::unique_ptr<FullAdapter> make(const AdapterContext& context);

  int64_t first_layer() const override { return 0; }
  bool trains_model() const override { return true; }
  std::vector<Parameter>& parameters() override { return parameters_; }

  // Writes config, tokenizer files and weights, each tensor of the dtype that it has in the base's
  // folder, which must still be there.
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  Status save_values(const std::filesystem::path& folder, const std::string& base_model,
                     const WholeValue& value) const override;
  // From such a folder. DATA_LOSS where a tensor is missing or of another shape.
  Status load(const std::filesystem::path& folder) override;

 private:
  explicit FullAdapter(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {}

  std::vector<Parameter> parameters_;
};

}  // namespace prefixmem::trainer
