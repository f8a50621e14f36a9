#include "common/tls/pem.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/files.h"

namespace prefixmem::tls {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{4} << 20;  // a system's bundle of authorities is 0.2 MiB

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Result<std::string> read(const char* flag, const std::string& file) {
  auto bytes = read_file(file, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status().with_context(flag);
  return bytes;
}

Bio reader_of(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// Of this thread: true where the PEM reader stopped because nothing more was there.
bool ended_well() {
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return ended;
}

// Called for the password of a key: there is none to give.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

Result<std::vector<Certificate>> certificates(const char* flag, const std::string& file) {
  PM_ASSIGN(const std::string bytes, read(flag, file));
  const Bio bio = reader_of(bytes);
  std::vector<Certificate> found;
  while (Certificate one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    found.push_back(std::move(one));
  }
  if (!ended_well()) {
    return invalid_argument(
        fmt::format("{} {}: its certificate number {} is damaged", flag, file, found.size() + 1));
  }
  if (!found.empty()) return found;
  return invalid_argument(
      fmt::format("{} {} holds no certificate; allowed: certificates in PEM", flag, file));
}

Result<Key> private_key(const char* flag, const std::string& file) {
  PM_ASSIGN(const std::string bytes, read(flag, file));
  const Bio bio = reader_of(bytes);
  bool has_password = false;
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, &has_password));
  ERR_clear_error();
  if (key) return key;
  return invalid_argument(
      fmt::format("{} {} holds {}; allowed: a private key in PEM without a password", flag, file,
                  has_password ? "a key with a password" : "no private key"));
}

Result<Identity> read_identity(const std::string& cert, const std::string& key) {
  Identity identity;
  PM_ASSIGN(identity.chain, certificates("--tls-cert", cert));
  PM_ASSIGN(identity.key, private_key("--tls-key", key));
  if (X509_check_private_key(identity.chain.front().get(), identity.key.get()) == 1) {
    return identity;
  }
  ERR_clear_error();
  return invalid_argument(fmt::format(
      "--tls-key {} is not the key of the first certificate in --tls-cert {}", key, cert));
}

}  // namespace prefixmem::tls
