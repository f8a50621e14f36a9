// Memory of a thread that lasts from one call to the next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace prefixmem::trainer::cpu {

// What a buffer is for; a thread has one of each.
enum class Use {
  kSums,
  kPacked,
  kQueries,
  kKeys,
  kValues,
  kGradients,
  kPackedKeys,
  kPackedValues,
  kScores,
  kSlopes,
  kProbabilities,
  kOfScores,
  kTransposed,
  kLastRows,
  kCount
};

constexpr int64_t kVectorBytes = 64;  // that may be read behind a buffer

// `count` elements, not initialised, valid until the thread asks for the same use again.
template <class T>
T* scratch(Use use, int64_t count) {
  static thread_local std::array<std::vector<uint64_t>, static_cast<size_t>(Use::kCount)> buffers;
  std::vector<uint64_t>& buffer = buffers[static_cast<size_t>(use)];
  const size_t words = (count * sizeof(T) + kVectorBytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
  if (buffer.size() < words) buffer.resize(words);
  return reinterpret_cast<T*>(buffer.data());
}

}  // namespace prefixmem::trainer::cpu
