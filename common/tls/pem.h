// Certificates and keys in PEM, as OpenSSL holds them.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::tls {

struct FreeOpenSsl {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, FreeOpenSsl>;
using Key = std::unique_ptr<EVP_PKEY, FreeOpenSsl>;

// What the file of a flag holds, in its order; at least one. INVALID_ARGUMENT, or the code of
// reading, with a sentence that names flag and file.
Result<std::vector<Certificate>> certificates(const char* flag, const std::string& file);
Result<Key> private_key(const char* flag, const std::string& file);

struct Identity {
  std::vector<Certificate> chain;  // its own first; not empty
  Key key;                         // of the first
};

// Of --tls-cert and --tls-key. INVALID_ARGUMENT too where the key is of another certificate.
Result<Identity> read_identity(const std::string& cert, const std::string& key);

}  // namespace prefixmem::tls
