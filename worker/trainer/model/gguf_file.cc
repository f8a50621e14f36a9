#include "worker/trainer/model/gguf_file.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "worker/trainer/model/file_tensor.h"
#include "worker/trainer/model/mapped_file.h"
#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kBlocksOfATask = 256;

template <typename T>
void unpack(const GgufType& type, const uint8_t* packed, int64_t blocks, T* values) {
  parallel_for(0, blocks, kBlocksOfATask, [&](int64_t begin, int64_t end) {
    std::array<float, kLargestGgufBlock> block;
    for (int64_t i = begin; i < end; ++i) {
      type.dequantize(packed + i * type.block_bytes, block.data());
      std::copy_n(block.data(), type.block_values, values + i * type.block_values);
    }
  });
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::filesystem::path& file) {
  PM_ASSIGN(MappedFile mapping, map_file(file));
  auto opened = over(mapping.bytes);
  if (!opened.ok()) return opened.status().with_context(file.string());
  opened->what_ = file.string();
  opened->owner_ = std::move(mapping.owner);
  return opened;
}

Result<GgufFile> GgufFile::over(std::string_view bytes) {
  PM_ASSIGN(GgufHeader header, parse_gguf_header(bytes));
  GgufFile file;
  file.bytes_ = bytes;
  file.header_ = std::make_shared<const GgufHeader>(std::move(header));
  return file;
}

Result<torch::Tensor> GgufFile::tensor(const std::string& name, torch::Dtype dtype) const {
  const auto found = header_->tensors.find(name);
  if (found == header_->tensors.end()) return data_loss(what_ + " has no tensor " + name);
  const GgufEntry& entry = found->second;
  if (!entry.type->supported()) {
    return invalid_argument(what_ + ": tensor " + name + " is of type " +
                            std::string(entry.type->name) + "; allowed: " + supported_gguf_types());
  }
  if (entry.type->plain) {
    const auto bytes = bytes_.substr(entry.begin, entry.end - entry.begin);
    return tensor_over(bytes, entry.shape, *entry.type->plain, owner_).to(dtype);
  }
  torch::Tensor values = at::empty(entry.shape, at::TensorOptions(dtype));
  const auto* const packed = reinterpret_cast<const uint8_t*>(bytes_.data()) + entry.begin;
  const int64_t blocks = values.numel() / entry.type->block_values;
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, dtype, "unpack", [&] {
    unpack(*entry.type, packed, blocks, values.mutable_data_ptr<scalar_t>());
  });
  return values;
}

}  // namespace prefixmem::trainer
