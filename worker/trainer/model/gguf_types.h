// The types of tensors in a GGUF file. Numbers and sizes: ggml.h of
// https://github.com/ggml-org/ggml
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "worker/trainer/model/gguf_blocks.h"

namespace prefixmem::trainer {

inline constexpr int64_t kLargestGgufBlock = 256;

// A row is whole blocks. A type that can be read is plain or has a dequantiser.
struct GgufType {
  uint32_t id;
  std::string_view name;  // "Q4_K"
  int64_t block_values;   // at most kLargestGgufBlock
  int64_t block_bytes;
  std::optional<c10::ScalarType> plain;
  DequantizeBlock dequantize = nullptr;

  bool supported() const { return plain.has_value() || dequantize != nullptr; }
};

// Null for a number that ggml does not have. Never freed.
const GgufType* find_gguf_type(uint32_t id);

// "F32, F16, …": the types that can be read.
std::string supported_gguf_types();

}  // namespace prefixmem::trainer
