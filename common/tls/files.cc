#include "common/tls/files.h"

#include <fmt/format.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <ranges>
#include <vector>

#include "common/tls/pem.h"

namespace prefixmem::tls {
namespace {

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

Status check_identity(const std::string& cert, const std::string& key) {
  if (cert.empty() != key.empty()) {
    return invalid_argument(fmt::format("{} is given without {}; allowed: both or neither",
                                        key.empty() ? "--tls-cert" : "--tls-key",
                                        key.empty() ? "--tls-key" : "--tls-cert"));
  }
  if (cert.empty()) return {};
  PM_ASSIGN(const Identity identity, read_identity(cert, key));
  const X509* const own = identity.chain.front().get();
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
