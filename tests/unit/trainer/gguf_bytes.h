// Writes GGUF files, faulty ones too, byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefixmem::trainer {

// Numbers of the format.
inline constexpr uint32_t kF32 = 0, kQ80 = 8, kIq2Xs = 17;  // of tensors
inline constexpr uint32_t kFloatType = 6, kBoolType = 7, kTextType = 8, kListType = 9;

template <typename T>
std::string as_bytes(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

inline std::string floats(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

// Scale 0.25, values -16 … 15.
inline std::string q8_0_block() {
  std::string block = as_bytes(uint16_t{0x3400});
  for (int i = 0; i < 32; ++i) block += static_cast<char>(i - 16);
  return block;
}

class GgufBytes {
 public:
  uint32_t version = 3;
  uint64_t extra_pairs = 0, extra_tensors = 0;  // said to be there

  void raw(std::string_view key, uint32_t type, std::string_view value) {
    metadata_ += sized(key) + as_bytes(type) + std::string(value);
    ++pairs_;
  }
  void text(std::string_view key, std::string_view value) { raw(key, kTextType, sized(value)); }
  void flag(std::string_view key, uint8_t value) { raw(key, kBoolType, as_bytes(value)); }
  void list(std::string_view key, uint32_t type, uint64_t count, std::string_view values) {
    raw(key, kListType, as_bytes(type) + as_bytes(count) + std::string(values));
  }
  template <typename T>
  void number(std::string_view key, T value) {
    raw(key, number_type<T>(), as_bytes(value));
  }

  // `shape`: as the format has it, the length of a row first.
  void entry(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type,
             uint64_t at) {
    entries_ += sized(name) + as_bytes(static_cast<uint32_t>(shape.size()));
    for (const uint64_t size : shape) entries_ += as_bytes(size);
    entries_ += as_bytes(type) + as_bytes(at);
    ++tensors_;
  }
  // Where the tensors so far end.
  void tensor(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type,
              std::string_view data) {
    pad(data_);
    entry(name, shape, type, data_.size());
    data_ += data;
  }

  std::string bytes() const {
    std::string file = "GGUF" + as_bytes(version) + as_bytes(tensors_ + extra_tensors) +
                       as_bytes(pairs_ + extra_pairs) + metadata_ + entries_;
    if (tensors_ > 0) pad(file);
    return file + data_;
  }

 private:
  static std::string sized(std::string_view text) {
    return as_bytes(uint64_t{text.size()}) + std::string(text);
  }
  static void pad(std::string& bytes) { bytes.resize((bytes.size() + 31) / 32 * 32, '\0'); }

  template <typename T>
  static constexpr uint32_t number_type() {
    if (std::is_same_v<T, float>) return kFloatType;
    if (std::is_same_v<T, double>) return 12;
    constexpr uint32_t kOfSize[] = {0, 0, 2, 0, 4, 0, 0, 0, 10};
    return kOfSize[sizeof(T)] + (std::is_signed_v<T> ? 1 : 0);
  }

  uint64_t pairs_ = 0, tensors_ = 0;
  std::string metadata_, entries_, data_;
};

}  // namespace prefixmem::trainer
