// What a GGUF file says before its data: metadata, and where each tensor stands.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "worker/trainer/model/gguf_types.h"

namespace prefixmem::trainer {

struct GgufEntry {
  const GgufType* type = nullptr;
  std::vector<int64_t> shape;   // as LibTorch has it: the last dimension is a row
  uint64_t begin = 0, end = 0;  // bytes of the file
};

struct GgufHeader {
  nlohmann::json metadata;  // {key: value}, see read_gguf_metadata
  std::map<std::string, GgufEntry> tensors;
};

// Reads the header (100 MB at most) of a whole file's bytes, versions 2 and 3, and checks it
// against them: every tensor is in range, aligned, of whole blocks, apart from the others.
// DATA_LOSS otherwise, naming key or tensor. Never looks at the data.
Result<GgufHeader> parse_gguf_header(std::string_view bytes);

}  // namespace prefixmem::trainer
