// gRPC's credentials of the files of a program.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "common/status.h"
#include "common/tls/files.h"

namespace prefixmem::tls {

// Both check the files first (files.h); without any they give credentials without TLS. A file that
// is replaced later is read within kRefreshSeconds and counts for new connections. Replace a
// certificate and its key together (rename both, or a folder): while the two do not match, no new
// connection can be made.
inline constexpr unsigned kRefreshSeconds = 1;

// With client_ca, clients are asked for a certificate; one that client_ca has not signed breaks the
// connection, and so is whoever shows one authenticated (AuthContext::IsPeerAuthenticated). A
// client may show none.
Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const ServerFiles& files);

// The server's certificate must be signed by `ca` and name the host (DNS name or IP address) that
// is dialled.
Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(const ClientFiles& files);

}  // namespace prefixmem::tls
