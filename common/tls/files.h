// The PEM files that a program was given for TLS, checked before a port or a channel is opened with
// them: what gRPC says of a bad file is a line in its own log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::tls {

// Of a port. All empty: no TLS.
struct ServerFiles {
  std::string cert;       // --tls-cert: the chain, the port's own certificate first
  std::string key;        // --tls-key: of that certificate, without a password
  std::string client_ca;  // --tls-client-ca: who signs the certificates of workers; may be empty

  bool any() const { return !(cert.empty() && key.empty() && client_ca.empty()); }
};

// Of a channel. All empty: no TLS.
struct ClientFiles {
  std::string ca;    // --tls-ca: who may have signed the server's certificate
  std::string cert;  // --tls-cert, --tls-key: shown to a server that asks; both or neither
  std::string key;

  bool any() const { return !(ca.empty() && cert.empty() && key.empty()); }
};

// One sentence that names the flag, the file and what is wrong: a flag without its companion
// (INVALID_ARGUMENT), a file that cannot be read (the code of that), that holds no certificate or
// no key, a certificate that has expired, a key of another certificate (INVALID_ARGUMENT).
Status check(const ServerFiles& files);
Status check(const ClientFiles& files);

struct Expiry {
  std::string option;  // e.g. "--tls-cert"
  int64_t time;        // Unix time in seconds; 0: the file cannot be read
};

// Of each file with certificates as it is now: when the first of a chain expires, and of
// authorities the last, since one of them is enough.
std::vector<Expiry> expiries(const ServerFiles& files);
std::vector<Expiry> expiries(const ClientFiles& files);

}  // namespace prefixmem::tls
