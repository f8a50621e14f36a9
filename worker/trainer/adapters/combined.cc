#include "worker/trainer/adapters/combined.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "common/model/config_fields.h"
#include "worker/trainer/adapters/adapter_files.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The sum of what hook(part) gives, undefined where no part gives anything.
template <class Hook>
torch::Tensor sum_over(const std::vector<CombinedAdapter::Part>& parts, const Hook& hook) {
  torch::Tensor sum;
  for (const auto& part : parts) {
    const torch::Tensor delta = hook(*part.adapter);
    if (delta.defined()) sum = sum.defined() ? sum + delta : delta;
  }
  return sum;
}

}  // namespace

CombinedAdapter::CombinedAdapter(std::vector<Part> parts) : parts_(std::move(parts)) {
  for (const Part& part : parts_) {
    for (Parameter parameter : part.adapter->parameters()) {
      parameter.name = part.name + "/" + parameter.name;
      parameters_.push_back(std::move(parameter));
    }
  }
}

bool CombinedAdapter::uses_dropout() const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return part.adapter->uses_dropout(); });
}

int64_t CombinedAdapter::first_layer() const {
  int64_t first = parts_.front().adapter->first_layer();
  for (const Part& part : parts_) first = std::min(first, part.adapter->first_layer());
  return first;
}

torch::Tensor CombinedAdapter::linear_delta(const LinearCall& call) {
  return sum_over(parts_, [&](Adapter& part) { return part.linear_delta(call); });
}

torch::Tensor CombinedAdapter::attention_delta(int64_t layer, const Queries& queries) {
  return sum_over(parts_, [&](Adapter& part) { return part.attention_delta(layer, queries); });
}

torch::Tensor CombinedAdapter::block_delta(int64_t layer, const torch::Tensor& x) {
  return sum_over(parts_, [&](Adapter& part) { return part.block_delta(layer, x); });
}

int64_t CombinedAdapter::prefix_length() const {
  int64_t length = 0;
  for (const Part& part : parts_) length += part.adapter->prefix_length();
  return length;
}

std::vector<Prefix> CombinedAdapter::prefix(torch::Dtype dtype) {
  for (const Part& part : parts_) {
    if (part.adapter->prefix_length() > 0) return part.adapter->prefix(dtype);
  }
  return {};
}

std::vector<std::string> CombinedAdapter::names() const {
  std::vector<std::string> names;
  for (const Part& part : parts_) names.push_back(part.name);
  return names;
}

Status CombinedAdapter::save(const fs::path& folder, const std::string& base_model) const {
  for (const Part& part : parts_) {
    PM_TRY(make_folders(folder / part.name));
    PM_TRY(part.adapter->save(folder / part.name, base_model));
  }
  return save_adapter_config(folder, {{"method", CombinedMethod::kType},
                                      {"base_model_name_or_path", base_model},
                                      {"parts", names()}});
}

Status CombinedAdapter::load(const fs::path& folder) {
  PM_ASSIGN(const json config, read_adapter_config(folder));
  ConfigFields fields(config);
  fields.choice(fields.has("method") ? "method" : "peft_type", {CombinedMethod::kType});
  if (!fields.has("parts") || config["parts"] != json(names())) {
    fields.fail("parts", json(names()).dump());
  }
  PM_TRY(fields.status().with_context((folder / "adapter_config.json").string()));
  for (const Part& part : parts_) PM_TRY(part.adapter->load(folder / part.name));
  return {};
}

}  // namespace prefixmem::trainer
