// Tokens of users: what they are, and whether one counts. Pure.
//
// A secret is "pmt_" and 256 random bits in hexadecimal digits. What is kept of it is its SHA-256:
// nobody finds 256 bits by trying, so there is nothing for a slow or salted hash to defend, and a
// call costs one digest and one look-up by it.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/id.h"
#include "common/status.h"
#include "prefixmem/v1/admin_service.pb.h"

namespace prefixmem::auth {

// Of what nobody's token has submitted, and of tokens that name none.
inline constexpr const char* kDefaultTenant = "default";

// What the store keeps.
struct TokenRecord {
  std::string sha256;  // of the secret
  v1::Token token;
};

std::string new_secret(const RandomBits& random = secure_random_bits);
// 256 random bits in hexadecimal digits.
std::string unguessable(const RandomBits& random = secure_random_bits);
// The secret of an Authorization header, "Bearer SECRET"; empty: it has none.
std::string bearer_of(std::string_view authorization);

// INVALID_ARGUMENT, `field` named, where it is no name of a user or a tenant.
Status check_name(std::string_view field, const std::string& name);

// INVALID_ARGUMENT naming the field, its value and what is allowed.
Result<v1::Token> new_token(const v1::CreateTokenRequest& request, WallTime now);

// Of a token, a job or a sweep: those from before there were tenants name none.
template <class Message>
std::string tenant_of(const Message& message) {
  return message.tenant().empty() ? kDefaultTenant : message.tenant();
}

// Whether the token's owner may change `what` ("job job-1"), which is of that tenant: an admin
// anybody's, others those of their own tenant. FAILED_PRECONDITION.
Status may_change(const v1::Token& token, std::string_view what, const std::string& tenant);

// FAILED_PRECONDITION where it was revoked or has expired, with the token's name and the time.
Status check_valid(const v1::Token& token, WallTime now);

}  // namespace prefixmem::auth
