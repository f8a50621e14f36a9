// Who makes a call.
#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/string_ref.h>

#include <map>
#include <string>

#include "coordinator/auth/token_book.h"

namespace prefixmem::rpc {

using CallMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Of "authorization: Bearer SECRET"; empty where there is none.
std::string bearer_of(const CallMetadata& metadata);

// The common name, or else the first other name, in the certificate that the peer has shown; empty
// where it has shown none.
std::string certificate_name(const grpc::AuthContext& peer);

// Whom limits are counted for: the owner of its token, "alice (token-…)"; with `tokens` null, or
// without a token that is known, the address that it comes from, without the port.
std::string caller_name(const grpc::ServerContextBase& call, const auth::TokenBook* tokens);

}  // namespace prefixmem::rpc
