// What every target holds a parser to, besides not crashing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/status.h"

// As libFuzzer calls it, and replay.cc.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace prefixmem::fuzz {

// Ends the process, with `what` on stderr, where `kept` is false.
void require(bool kept, std::string_view what);

// A failure must be the input's and not ours, and its sentence must be text that can be sent.
void require_clear(const Status& status);

// The input as `count` texts that a byte 0 separates; those that it does not hold are empty.
std::vector<std::string_view> parts_of(std::string_view input, size_t count);

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace prefixmem::fuzz
