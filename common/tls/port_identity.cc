#include "common/tls/port_identity.h"

#include <sys/stat.h>

#include <utility>

namespace prefixmem::tls {

Result<std::unique_ptr<PortIdentity>> PortIdentity::read(const ServerFiles& files) {
  PM_TRY(check(files));
  const Versions versions = versions_of(files);
  PM_ASSIGN(Identity identity, read_identity(files.cert, files.key));
  return std::unique_ptr<PortIdentity>(new PortIdentity(files, versions, std::move(identity)));
}

PortIdentity::PortIdentity(ServerFiles files, Versions versions, Identity identity)
    : files_(std::move(files)), versions_(versions), identity_(std::move(identity)) {}

PortIdentity::Version PortIdentity::version_of(const std::string& file) {
  struct stat known{};
  if (stat(file.c_str(), &known) != 0) return {};
  return {static_cast<int64_t>(known.st_ino), known.st_size, known.st_mtim.tv_sec,
          known.st_mtim.tv_nsec};
}

PortIdentity::Versions PortIdentity::versions_of(const ServerFiles& files) {
  return {version_of(files.cert), version_of(files.key)};
}

void PortIdentity::serve(SSL_CTX& context) {
  SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION);
  SSL_CTX_set_cert_cb(&context, &PortIdentity::on_connection, this);
}

int PortIdentity::on_connection(SSL* connection, void* self) {
  return static_cast<PortIdentity*>(self)->show(connection) ? 1 : 0;
}

bool PortIdentity::show(SSL* connection) {
  const MutexLock lock(mutex_);
  refresh();
  if (SSL_use_certificate(connection, identity_.chain.front().get()) != 1 ||
      SSL_use_PrivateKey(connection, identity_.key.get()) != 1) {
    return false;
  }
  for (size_t i = 1; i < identity_.chain.size(); ++i) {
    if (SSL_add1_chain_cert(connection, identity_.chain[i].get()) != 1) return false;
  }
  return true;
}

void PortIdentity::refresh() {
  const Versions now = versions_of(files_);
  if (now == versions_) return;
  versions_ = now;  // from before the reading: what is written meanwhile is read next time
  auto identity = read_identity(files_.cert, files_.key);
  if (identity.ok()) identity_ = std::move(identity).value();
}

}  // namespace prefixmem::tls
