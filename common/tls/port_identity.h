// The certificate of a port that OpenSSL serves (of gRPC's ports: credentials.h), which follows its
// files.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <memory>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "common/tls/files.h"
#include "common/tls/pem.h"

namespace prefixmem::tls {

// Thread-safe.
class PortIdentity {
 public:
  // As check() of the files, of which client_ca has no effect here.
  static Result<std::unique_ptr<PortIdentity>> read(const ServerFiles& files);

  // New connections of `context` are shown the files as they are; while the two do not match or
  // cannot be read, as they were before. Outlives the context.
  void serve(SSL_CTX& context);

 private:
  // Which file a name stands for, and when it was last written.
  using Version = std::array<int64_t, 4>;
  using Versions = std::array<Version, 2>;  // of certificate and key

  PortIdentity(ServerFiles files, Versions versions, Identity identity);
  static Version version_of(const std::string& file);
  static Versions versions_of(const ServerFiles& files);
  static int on_connection(SSL* connection, void* self);
  bool show(SSL* connection);
  void refresh() PM_REQUIRES(mutex_);

  const ServerFiles files_;
  Mutex mutex_;
  Versions versions_ PM_GUARDED_BY(mutex_);  // that were read last
  Identity identity_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::tls
