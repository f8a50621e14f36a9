// Where the tensors of a safetensors file stand: 8 bytes with the length of a JSON header, the
// header, then the data, which the tensors cover without gap or overlap.
// Format: https://huggingface.co/docs/safetensors
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem::trainer {

struct SafetensorsEntry {
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes of the file
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafetensorsEntry> tensors;
  uint64_t data_begin = 0;
};

// Reads the header of a whole file's bytes and checks it against them: every entry is in range and
// of shape × dtype bytes. DATA_LOSS otherwise, naming the tensor; for a file cut short with the
// bytes there and the bytes expected.
Result<SafetensorsHeader> parse_safetensors_header(std::string_view bytes);

// What a header says of a tensor.
struct TensorShape {
  std::string name;
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::vector<int64_t> shape;

  int64_t bytes() const;
};

// The bytes before the data of a file that holds the tensors in this order. A dtype must be one of
// the format's (else std::invalid_argument: a mistake of the caller).
std::string safetensors_header_bytes(const std::vector<TensorShape>& tensors,
                                     const std::map<std::string, std::string>& metadata);

// "F32", "BF16", …; none for a type that the format or this program lacks.
std::optional<std::string_view> safetensors_dtype_name(c10::ScalarType dtype);

}  // namespace prefixmem::trainer
