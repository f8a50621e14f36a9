#include "common/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <vector>

#include "common/fd.h"

namespace prefixmem {
namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr std::string_view kHexDigits = "0123456789abcdef";

}  // namespace

std::string to_hex(const unsigned char* bytes, size_t count) {
  std::string hex;
  for (size_t i = 0; i < count; ++i) {
    hex += kHexDigits[bytes[i] >> 4];
    hex += kHexDigits[bytes[i] & 15];
  }
  return hex;
}

struct Sha256::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(md); }
};

// libcrypto's digest fails only when memory is out.
Sha256::Sha256() : context_(std::make_unique<Context>()) {
  if (EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(const void* data, size_t size) {
  if (EVP_DigestUpdate(context_->md, data, size) != 1) throw std::bad_alloc();
}

std::string Sha256::finish_hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context_->md, digest.data(), &size) != 1) throw std::bad_alloc();
  return to_hex(digest.data(), size);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.finish_hex();
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of(kHexDigits) == text.npos;
}

Status update_from_file(Sha256& sha, const std::filesystem::path& file) {
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  std::vector<char> block(kBlock);
  while (true) {
    const ssize_t count = read(fd.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno("reading " + file.string(), errno);
    if (count == 0) return {};
    sha.update(block.data(), static_cast<size_t>(count));
  }
}

Result<std::string> sha256_of_file(const std::filesystem::path& file) {
  Sha256 sha;
  PM_TRY(update_from_file(sha, file));
  return sha.finish_hex();
}

}  // namespace prefixmem
