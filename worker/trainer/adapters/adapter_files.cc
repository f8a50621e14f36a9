#include "worker/trainer/adapters/adapter_files.h"

#include <torch/autograd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "worker/trainer/adapters/adapter_config.h"
#include "worker/trainer/model/file_tensor.h"
#include "worker/trainer/model/safetensors.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kWeights = "adapter_model.safetensors";
constexpr const char* kPickle = "adapter_model.bin";
constexpr const char* kConfig = "adapter_config.json";
constexpr int64_t kMaxConfigBytes = 16 << 20;

Result<torch::Tensor> value_for(const Parameter& parameter, const SafetensorsFile& weights) {
  if (weights.tensors().count(parameter.name) == 0) {
    return invalid_argument("it has no tensor " + parameter.name);
  }
  PM_ASSIGN(torch::Tensor value, weights.tensor(parameter.name));
  if (value.sizes() != parameter.value.sizes()) {
    return invalid_argument("its tensor " + parameter.name + " has shape " +
                            shape_text(value.sizes()) +
                            "; allowed: " + shape_text(parameter.value.sizes()));
  }
  if (!value.is_floating_point()) {
    return invalid_argument("its tensor " + parameter.name + " holds no floating-point numbers");
  }
  return value;
}

Status check_no_others(const std::vector<Parameter>& parameters, const SafetensorsFile& weights) {
  for (const auto& [name, entry] : weights.tensors()) {
    const bool known = std::any_of(parameters.begin(), parameters.end(),
                                   [&](const Parameter& p) { return p.name == name; });
    if (!known) {
      return invalid_argument("its tensor " + name + " has no place in this model and method");
    }
  }
  return {};
}

Status copy_values(const SafetensorsFile& weights, std::vector<Parameter>& parameters) {
  std::vector<torch::Tensor> values;
  for (const Parameter& parameter : parameters) {
    PM_ASSIGN(torch::Tensor value, value_for(parameter, weights));
    values.push_back(std::move(value));
  }
  // With as many tensors as parameters, each of which was found, there are no others.
  if (weights.tensors().size() != parameters.size()) PM_TRY(check_no_others(parameters, weights));
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < values.size(); ++i) parameters[i].value.copy_(values[i]);
  return {};
}

// Only what is safe to read; a folder of an older PEFT may hold nothing of the kind.
Status check_kind(const fs::path& folder) {
  const fs::path pickle = folder / kPickle;
  if (fs::exists(folder / kWeights) || !fs::exists(pickle)) return {};
  return invalid_argument(pickle.string() +
                          " is a pickle, which may run code as it is read; "
                          "allowed: " +
                          kWeights);
}

}  // namespace

Status save_adapter_files(const fs::path& folder, const std::vector<Parameter>& parameters,
                          const json& config) {
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : parameters) {
    tensors.push_back({parameter.name, parameter.value});
  }
  PM_TRY(write_safetensors(folder / kWeights, tensors, {{"format", "pt"}}));
  return save_adapter_config(folder, config);
}

Status save_adapter_config(const fs::path& folder, const json& config) {
  return write_file_atomic(folder / kConfig, config.dump(2) + "\n");
}

Result<json> read_adapter_config(const fs::path& folder) {
  PM_ASSIGN(const std::string text, read_file(folder / kConfig, kMaxConfigBytes));
  auto config = parse_adapter_config(text);
  if (!config.ok()) return config.status().with_context((folder / kConfig).string());
  return config;
}

Status load_parameters(const fs::path& folder, std::vector<Parameter>& parameters) {
  PM_TRY(check_kind(folder));
  PM_ASSIGN(const SafetensorsFile weights, SafetensorsFile::open(folder / kWeights));
  return copy_values(weights, parameters).with_context((folder / kWeights).string());
}

}  // namespace prefixmem::trainer
