// GGUF files: read in place, quantised tensors unpacked on the way.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/status.h"
#include "worker/trainer/model/gguf_header.h"

namespace prefixmem::trainer {

// A checked file. Cheap to copy. Thread: any, it never changes.
class GgufFile {
 public:
  // Maps the file, which must not be cut while this or one of its tensors lives. Errors, each with
  // the path: NOT_FOUND, DATA_LOSS (see parse_gguf_header).
  static Result<GgufFile> open(const std::filesystem::path& file);
  // Over bytes in memory, which must outlive this and its tensors.
  static Result<GgufFile> over(std::string_view bytes);

  const std::string& name() const { return what_; }  // for messages
  const nlohmann::json& metadata() const { return header_->metadata; }
  bool contains(const std::string& name) const { return header_->tensors.count(name) > 0; }
  const std::map<std::string, GgufEntry>& tensors() const { return header_->tensors; }

  // On the CPU in `dtype` (fp32, bf16 or fp16): blocks are unpacked in parallel straight to where
  // they go. A view that keeps the mapping alive and must not be written where the file has that
  // dtype. Errors: DATA_LOSS (no such tensor), INVALID_ARGUMENT (a type that cannot be read, by
  // name).
  Result<torch::Tensor> tensor(const std::string& name, torch::Dtype dtype) const;

 private:
  GgufFile() = default;

  std::string what_ = "it";
  std::shared_ptr<const void> owner_;  // of the mapping
  std::string_view bytes_;
  std::shared_ptr<const GgufHeader> header_;
};

}  // namespace prefixmem::trainer
