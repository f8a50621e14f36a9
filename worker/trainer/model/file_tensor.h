// Tensors whose values stand in a file that is read in place.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace prefixmem::trainer {

// The tensor with these bytes as its values, which must be as many as `shape` and `dtype` say: a
// view that keeps `owner` alive and must not be written, or a copy where they are not aligned.
torch::Tensor tensor_over(std::string_view bytes, at::IntArrayRef shape, torch::Dtype dtype,
                          const std::shared_ptr<const void>& owner);

// For messages: [2,3].
std::string shape_text(at::IntArrayRef shape);

}  // namespace prefixmem::trainer
