#include "common/tls/files.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <ranges>
#include <vector>

#include "common/files.h"

namespace prefixmem::tls {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{4} << 20;  // a system's bundle of authorities is 0.2 MiB

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

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

std::string day_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown day";
  std::array<char, 11> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts)};
}

int64_t expiry_of(const Certificate& certificate) {
  std::tm parts{};
  return ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) == 1 ? timegm(&parts) : 0;
}

// `pick`: std::ranges::min of a chain, std::ranges::max of authorities.
void add_expiry(const char* option, const std::string& file, const auto& pick,
                std::vector<Expiry>& found) {
  if (file.empty()) return;
  const auto read = certificates(option, file);
  found.push_back({option, read.ok() ? pick(*read | std::views::transform(expiry_of)) : 0});
}

// Called for the password of a key: there is none to give.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
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

Status check_identity(const std::string& cert, const std::string& key) {
  if (cert.empty() != key.empty()) {
    return invalid_argument(fmt::format("{} is given without {}; allowed: both or neither",
                                        key.empty() ? "--tls-cert" : "--tls-key",
                                        key.empty() ? "--tls-key" : "--tls-cert"));
  }
  if (cert.empty()) return {};
  PM_ASSIGN(const auto chain, certificates("--tls-cert", cert));
  PM_ASSIGN(const Key secret, private_key("--tls-key", key));
  X509* own = chain.front().get();
  if (X509_check_private_key(own, secret.get()) != 1) {
    ERR_clear_error();
    return invalid_argument(fmt::format(
        "--tls-key {} is not the key of the first certificate in --tls-cert {}", key, cert));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(own)) > 0) return {};
  return invalid_argument(
      fmt::format("--tls-cert {} has expired on {}; allowed: a certificate that is valid now", cert,
                  day_of(X509_get0_notAfter(own))));
}

}  // namespace

Status check(const ServerFiles& files) {
  PM_TRY(check_identity(files.cert, files.key));
  if (files.client_ca.empty()) return {};
  if (files.cert.empty()) {
    return invalid_argument(
        "--tls-client-ca is given without --tls-cert and --tls-key; allowed: all three");
  }
  return certificates("--tls-client-ca", files.client_ca).status();
}

Status check(const ClientFiles& files) {
  if (!files.any()) return {};
  if (files.ca.empty()) {
    return invalid_argument(
        "--tls-cert and --tls-key are given without --tls-ca; allowed: with the certificates that "
        "the coordinator's is signed by");
  }
  PM_TRY(certificates("--tls-ca", files.ca).status());
  return check_identity(files.cert, files.key);
}

std::vector<Expiry> expiries(const ServerFiles& files) {
  std::vector<Expiry> found;
  add_expiry("--tls-cert", files.cert, std::ranges::min, found);
  add_expiry("--tls-client-ca", files.client_ca, std::ranges::max, found);
  return found;
}

std::vector<Expiry> expiries(const ClientFiles& files) {
  std::vector<Expiry> found;
  add_expiry("--tls-cert", files.cert, std::ranges::min, found);
  add_expiry("--tls-ca", files.ca, std::ranges::max, found);
  return found;
}

}  // namespace prefixmem::tls
