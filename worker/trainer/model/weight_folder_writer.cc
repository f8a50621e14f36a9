#include "worker/trainer/model/weight_folder_writer.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/files.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::ordered_json;

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

}  // namespace

WeightFolderWriter::WeightFolderWriter(std::filesystem::path folder,
                                       std::vector<TensorShape> tensors, int64_t shard_bytes)
    : folder_(std::move(folder)) {
  int64_t held = 0;
  for (TensorShape& tensor : tensors) {
    const int64_t bytes = tensor.bytes();
    if (shards_.empty() || held + bytes > shard_bytes) {
      shards_.emplace_back();
      held = 0;
    }
    held += bytes;
    shards_.back().tensors.push_back(std::move(tensor));
  }
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i].file = shard_name(i, shards_.size());
}

Status WeightFolderWriter::append(const torch::Tensor& whole) {
  const Shard& shard = shards_.at(shard_);
  if (in_shard_ == 0) {
    PM_ASSIGN(auto writer,
              SafetensorsWriter::create(folder_ / shard.file, shard.tensors, {{"format", "pt"}}));
    writer_.emplace(std::move(writer));
  }
  PM_TRY(writer_->append(whole));
  if (++in_shard_ < shard.tensors.size()) return {};
  PM_TRY(writer_->finish().status());
  writer_.reset();
  ++shard_;
  in_shard_ = 0;
  return {};
}

Status WeightFolderWriter::finish() {
  if (shard_ != shards_.size()) {
    return internal_error("writing " + folder_.string() + ": tensors are missing from " +
                          shards_[shard_].file);
  }
  return shards_.size() > 1 ? finish_index() : Status();
}

Status WeightFolderWriter::finish_index() const {
  ordered_json map = ordered_json::object();
  int64_t bytes = 0;
  for (const Shard& shard : shards_) {
    for (const TensorShape& tensor : shard.tensors) {
      map[tensor.name] = shard.file;
      bytes += tensor.bytes();
    }
  }
  const ordered_json index = {{"metadata", {{"total_size", bytes}}}, {"weight_map", map}};
  return write_file_atomic(folder_ / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace prefixmem::trainer
