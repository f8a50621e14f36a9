#include "worker/trainer/model/file_tensor.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

namespace prefixmem::trainer {

torch::Tensor tensor_over(std::string_view bytes, at::IntArrayRef shape, torch::Dtype dtype,
                          const std::shared_ptr<const void>& owner) {
  const auto options = at::TensorOptions(dtype);
  if (bytes.empty()) return at::empty(shape, options);
  // from_blob wants a mutable pointer; nobody writes through it.
  char* const address = const_cast<char*>(bytes.data());
  if (reinterpret_cast<uintptr_t>(address) % c10::elementSize(dtype) == 0) {
    return at::from_blob(address, shape, [owner](void*) {}, options);
  }
  torch::Tensor copy = at::empty(shape, options);
  std::memcpy(copy.mutable_data_ptr(), address, bytes.size());
  return copy;
}

std::string shape_text(at::IntArrayRef shape) { return nlohmann::json(shape.vec()).dump(); }

}  // namespace prefixmem::trainer
