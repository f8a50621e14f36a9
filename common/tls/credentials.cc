#include "common/tls/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

namespace prefixmem::tls {
namespace {

using grpc::experimental::FileWatcherCertificateProvider;

std::shared_ptr<FileWatcherCertificateProvider> watch(const std::string& cert,
                                                      const std::string& key,
                                                      const std::string& ca) {
  return std::make_shared<FileWatcherCertificateProvider>(key, cert, ca, kRefreshSeconds);
}

}  // namespace

Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const ServerFiles& files) {
  if (!files.any()) return grpc::InsecureServerCredentials();
  PM_TRY(check(files));
  grpc::experimental::TlsServerCredentialsOptions options(
      watch(files.cert, files.key, files.client_ca));
  options.watch_identity_key_cert_pairs();
  if (!files.client_ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(const ClientFiles& files) {
  if (!files.any()) return grpc::InsecureChannelCredentials();
  PM_TRY(check(files));
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(watch(files.cert, files.key, files.ca));
  options.watch_root_certs();
  if (!files.cert.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace prefixmem::tls
