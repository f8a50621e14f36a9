// Reads a binary header front to back and never past its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem::trainer {

// Numbers are little-endian, as the machine. Does not own the bytes.
class ByteCursor {
 public:
  // Reads from the first `limit` bytes alone.
  ByteCursor(std::string_view bytes, size_t limit)
      : bytes_(bytes.substr(0, limit)), whole_(bytes.size() <= limit) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  // DATA_LOSS where fewer bytes are left.
  Result<std::string_view> take(uint64_t count) {
    if (count > left()) return ended();
    const std::string_view taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }

  template <typename T>
  Result<T> number() {
    PM_ASSIGN(const std::string_view bytes, take(sizeof(T)));
    T value{};
    bytes.copy(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }

  // A length of 8 bytes, then the text.
  Result<std::string_view> text() {
    PM_ASSIGN(const uint64_t length, number<uint64_t>());
    return take(length);
  }

  Status ended() const {
    const std::string size = std::to_string(bytes_.size()) + " bytes";
    return data_loss(whole_
                         ? "it holds " + size + ", and its header goes on behind; it is cut short"
                         : "its header is longer than " + size);
  }

 private:
  const std::string_view bytes_;
  const bool whole_;  // no limit cut the bytes off
  size_t position_ = 0;
};

}  // namespace prefixmem::trainer
