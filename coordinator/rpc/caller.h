// Who makes a call.
#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/string_ref.h>

#include <map>
#include <string>
#include <string_view>

#include "common/status.h"
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

// Of the jobs that it submits: its token's, or with `tokens` null the default. FAILED_PRECONDITION
// where its token has come to count no longer.
Result<std::string> tenant_of(const grpc::ServerContextBase& call, const auth::TokenBook* tokens);

// auth::may_change of its token; with `tokens` null everybody may.
Status may_change(const grpc::ServerContextBase& call, const auth::TokenBook* tokens,
                  std::string_view what, const std::string& tenant);

}  // namespace prefixmem::rpc
