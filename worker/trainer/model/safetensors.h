// Files of named tensors: read in place, written whole.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "worker/trainer/model/safetensors_header.h"

namespace prefixmem::trainer {

// A checked file whose tensors are read in place. Cheap to copy. Thread: any, it never changes.
class SafetensorsFile {
 public:
  // Maps the file, which must not be cut while this or one of its tensors lives. Errors, each with
  // the path: NOT_FOUND, DATA_LOSS (see parse_safetensors_header).
  static Result<SafetensorsFile> open(const std::filesystem::path& file);
  // Over bytes in memory, which must outlive this and its tensors.
  static Result<SafetensorsFile> over(std::string_view bytes);

  const std::map<std::string, std::string>& metadata() const { return header_->metadata; }
  const std::map<std::string, SafetensorsEntry>& tensors() const { return header_->tensors; }
  std::string_view data() const;  // all tensors' bytes

  // A view that keeps the mapping alive and must not be written: of a file it is read-only memory.
  // A copy only where the data are not aligned. DATA_LOSS where there is no such tensor.
  Result<torch::Tensor> tensor(const std::string& name) const;

 private:
  SafetensorsFile() = default;

  std::string what_ = "it";            // for messages
  std::shared_ptr<const void> owner_;  // of the mapping
  std::string_view bytes_;
  std::shared_ptr<const SafetensorsHeader> header_;
};

struct NamedTensor {
  std::string name;
  torch::Tensor value;  // of any device
};

// The bytes of a file that holds the tensors in this order. A tensor's dtype must be one of the
// format's (else std::invalid_argument: a mistake of the caller).
std::string serialize_safetensors(const std::vector<NamedTensor>& tensors,
                                  const std::map<std::string, std::string>& metadata);

// Writes such a file: whole or not at all, and durable.
Status write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace prefixmem::trainer
