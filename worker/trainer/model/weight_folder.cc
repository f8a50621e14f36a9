#include "worker/trainer/model/weight_folder.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "common/files.h"
#include "common/model/strict_json.h"
#include "worker/trainer/model/file_tensor.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kMaxIndexBytes = 64 << 20;
constexpr int kMaxIndexDepth = 8;

// A shard stands in the folder itself.
bool is_plain_name(const json& name) {
  if (!name.is_string()) return false;
  const fs::path path = name.get<std::string>();
  return path.has_filename() && path == path.filename() && path != "." && path != "..";
}

Result<std::map<std::string, std::string>> parse_index(const std::string& text) {
  PM_ASSIGN(const json index, parse_strict_json(text, kMaxIndexDepth));
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object()) return data_loss("it has no object weight_map");
  std::map<std::string, std::string> shards;
  for (const auto& [name, file] : map->items()) {
    if (!is_plain_name(file)) {
      return data_loss("weight_map." + name + " is " + shown(file) +
                       "; allowed: the name of a file in the same folder");
    }
    shards[name] = file;
  }
  return shards;
}

}  // namespace

Result<WeightFolder> WeightFolder::open(const fs::path& folder) {
  WeightFolder weights;
  weights.folder_ = folder;
  const fs::path single = folder / "model.safetensors";
  const fs::path index = folder / "model.safetensors.index.json";
  std::error_code ignored;
  if (fs::exists(single, ignored)) {
    PM_TRY(weights.open_single(single));
  } else if (fs::exists(index, ignored)) {
    PM_TRY(weights.open_shards(index));
  } else {
    return not_found("model folder " + folder.string() +
                     " has no weights; allowed: model.safetensors, or "
                     "model.safetensors.index.json with its shards, or one .gguf file");
  }
  return weights;
}

Status WeightFolder::open_single(const fs::path& file) {
  PM_ASSIGN(SafetensorsFile opened, SafetensorsFile::open(file));
  for (const auto& [name, entry] : opened.tensors()) file_of_[name] = 0;
  files_.push_back(std::move(opened));
  paths_.push_back(file);
  return {};
}

Status WeightFolder::open_shards(const fs::path& index) {
  PM_ASSIGN(const std::string text, read_file(index, kMaxIndexBytes));
  const auto shards = parse_index(text);
  if (!shards.ok()) return shards.status().with_context(index.string());
  std::map<std::string, size_t> opened;  // by file name
  for (const auto& [name, file] : *shards) {
    const auto [entry, added] = opened.emplace(file, files_.size());
    if (added) {
      PM_ASSIGN(SafetensorsFile shard, SafetensorsFile::open(folder_ / file));
      files_.push_back(std::move(shard));
      paths_.push_back(folder_ / file);
    }
    if (files_[entry->second].tensors().count(name) == 0) {
      return data_loss(paths_[entry->second].string() + " has no tensor " + name + ", which " +
                       index.string() + " says it has");
    }
    file_of_[name] = entry->second;
  }
  return {};
}

Result<torch::Tensor> WeightFolder::take(const std::string& name,
                                         const std::vector<int64_t>& shape) const {
  const auto found = file_of_.find(name);
  if (found == file_of_.end()) {
    return data_loss("the weights of " + folder_.string() + " lack tensor " + name);
  }
  PM_ASSIGN(torch::Tensor tensor, files_[found->second].tensor(name));
  const std::string what = paths_[found->second].string() + ": tensor " + name;
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    return data_loss(what + " has shape " + shape_text(tensor.sizes()) + "; config.json asks for " +
                     shape_text(shape));
  }
  const auto dtype = tensor.scalar_type();
  if (dtype != at::kFloat && dtype != at::kBFloat16 && dtype != at::kHalf) {
    return data_loss(what + " is of dtype " + std::string(*safetensors_dtype_name(dtype)) +
                     "; allowed: F32, BF16, F16");
  }
  return tensor;
}

Result<torch::Tensor> WeightFolder::take(const std::string& name, const std::vector<int64_t>& shape,
                                         torch::Dtype dtype) {
  PM_ASSIGN(const torch::Tensor stored, take(name, shape));
  return stored.to(dtype);
}

}  // namespace prefixmem::trainer
