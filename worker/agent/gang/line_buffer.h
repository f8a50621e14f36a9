// Cuts a stream of bytes into lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prefixmem::agent {

// Not thread-safe. A line longer than `longest` bytes comes out in pieces, so memory is bounded.
class LineBuffer {
 public:
  explicit LineBuffer(size_t longest) : longest_(longest) {}

  // The lines that `bytes` completes, without their newlines.
  std::vector<std::string> add(std::string_view bytes) {
    std::vector<std::string> lines;
    for (const char byte : bytes) {
      if (byte != '\n') rest_ += byte;
      if (byte == '\n' || rest_.size() >= longest_) lines.push_back(std::exchange(rest_, {}));
    }
    return lines;
  }

  // What came after the last newline; empty afterwards.
  std::string take_rest() { return std::exchange(rest_, {}); }

 private:
  size_t longest_;
  std::string rest_;
};

}  // namespace prefixmem::agent
