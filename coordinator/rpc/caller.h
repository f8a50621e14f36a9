// Who makes a call.
#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/support/string_ref.h>

#include <map>
#include <string>

namespace prefixmem::rpc {

using CallMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Of "authorization: Bearer SECRET"; empty where there is none.
std::string bearer_of(const CallMetadata& metadata);

// The common name, or else the first other name, in the certificate that the peer has shown; empty
// where it has shown none.
std::string certificate_name(const grpc::AuthContext& peer);

}  // namespace prefixmem::rpc
