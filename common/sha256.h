// SHA-256 as lower-case hex, 64 characters.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

// Of a stream of bytes. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(const void* data, size_t size);
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  // Digest of all bytes so far; the object may not be used again.
  std::string finish_hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_hex(std::string_view bytes);
std::string to_hex(const unsigned char* bytes, size_t count);  // lower-case
// Whether the text is such a digest.
bool is_sha256(std::string_view text);
// Adds the bytes of a file, in blocks; NOT_FOUND or another code with the path.
Status update_from_file(Sha256& sha, const std::filesystem::path& file);
// Reads the file in blocks; NOT_FOUND or another code with the path.
Result<std::string> sha256_of_file(const std::filesystem::path& file);

}  // namespace prefixmem
