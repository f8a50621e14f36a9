#include "worker/trainer/model/safetensors.h"

#include <ATen/ATen.h>

#include "common/files.h"
#include "worker/trainer/model/file_tensor.h"
#include "worker/trainer/model/mapped_file.h"

namespace prefixmem::trainer {

namespace fs = std::filesystem;

Result<SafetensorsFile> SafetensorsFile::open(const fs::path& file) {
  PM_ASSIGN(MappedFile mapping, map_file(file));
  auto opened = over(mapping.bytes);
  if (!opened.ok()) return opened.status().with_context(file.string());
  opened->what_ = file.string();
  opened->owner_ = std::move(mapping.owner);
  return opened;
}

Result<SafetensorsFile> SafetensorsFile::over(std::string_view bytes) {
  PM_ASSIGN(SafetensorsHeader header, parse_safetensors_header(bytes));
  SafetensorsFile file;
  file.bytes_ = bytes;
  file.header_ = std::make_shared<const SafetensorsHeader>(std::move(header));
  return file;
}

std::string_view SafetensorsFile::data() const { return bytes_.substr(header_->data_begin); }

Result<torch::Tensor> SafetensorsFile::tensor(const std::string& name) const {
  const auto found = header_->tensors.find(name);
  if (found == header_->tensors.end()) return data_loss(what_ + " has no tensor " + name);
  const SafetensorsEntry& entry = found->second;
  const auto bytes = bytes_.substr(entry.begin, entry.end - entry.begin);
  return tensor_over(bytes, entry.shape, entry.dtype, owner_);
}

std::string serialize_safetensors(const std::vector<NamedTensor>& tensors,
                                  const std::map<std::string, std::string>& metadata) {
  std::vector<TensorShape> shapes;
  for (const auto& [name, value] : tensors) {
    shapes.push_back({name, value.scalar_type(), value.sizes().vec()});
  }
  std::string bytes = safetensors_header_bytes(shapes, metadata);
  for (const auto& [name, value] : tensors) {
    const torch::Tensor flat = value.detach().cpu().contiguous();
    bytes.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
  }
  return bytes;
}

Status write_safetensors(const fs::path& file, const std::vector<NamedTensor>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  return write_file_atomic(file, serialize_safetensors(tensors, metadata));
}

}  // namespace prefixmem::trainer
