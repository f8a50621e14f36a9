#include "coordinator/auth/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/proto/role.h"
#include "common/proto/timestamps.h"
#include "common/spec/utf8.h"

namespace prefixmem::auth {
namespace {

constexpr size_t kLongestName = 64;
constexpr int kWords = 4;  // of 64 bits

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '@';
         });
}

std::string called(const v1::Token& token) {
  return fmt::format("token {} ({})", token.id(), token.name());
}

}  // namespace

std::string unguessable(const RandomBits& random) {
  std::string digits;
  for (int i = 0; i < kWords; ++i) digits += fmt::format("{:016x}", random());
  return digits;
}

std::string new_secret(const RandomBits& random) { return "pmt_" + unguessable(random); }

std::string bearer_of(std::string_view authorization) {
  constexpr std::string_view kBearer = "Bearer ";
  if (!authorization.starts_with(kBearer)) return {};
  return std::string(authorization.substr(kBearer.size()));
}

Status check_name(std::string_view field, const std::string& name) {
  if (is_name(name)) return {};
  return invalid_argument(
      fmt::format("{} is \"{}\"; allowed: 1 to {} letters, digits, '.', '_', '-' or '@'", field,
                  spec::shortened(name, 80), kLongestName));
}

Result<v1::Token> new_token(const v1::CreateTokenRequest& request, WallTime now) {
  PM_TRY(check_name("name", request.name()));
  if (!request.tenant().empty()) PM_TRY(check_name("tenant", request.tenant()));
  if (!v1::Role_IsValid(request.role()) || request.role() == v1::ROLE_UNSPECIFIED) {
    return invalid_argument(fmt::format("role is {}; allowed: viewer, submitter or admin",
                                        static_cast<int>(request.role())));
  }
  if (request.days() < 1 || request.days() > kMostTokenDays) {
    return invalid_argument(
        fmt::format("days is {}; allowed: a number from 1 to {}", request.days(), kMostTokenDays));
  }
  v1::Token token;
  token.set_id(new_id("token"));
  token.set_name(request.name());
  token.set_role(request.role());
  token.set_tenant(request.tenant().empty() ? kDefaultTenant : request.tenant());
  *token.mutable_create_time() = to_timestamp(now);
  *token.mutable_expire_time() = to_timestamp(now + std::chrono::hours(24) * request.days());
  return token;
}

Status may_change(const v1::Token& token, std::string_view what, const std::string& tenant) {
  if (token.role() == v1::ROLE_ADMIN || tenant_of(token) == tenant) return {};
  return failed_precondition(fmt::format(
      "{} is of tenant {} and {} of tenant {}; only an admin changes what is of another tenant",
      called(token), tenant_of(token), what, tenant));
}

Status check_valid(const v1::Token& token, WallTime now) {
  if (token.has_revoke_time()) {
    return failed_precondition(fmt::format("{} was revoked at {}", called(token),
                                           utc_text(from_timestamp(token.revoke_time()))));
  }
  if (now < from_timestamp(token.expire_time())) return {};
  return failed_precondition(fmt::format("{} has expired at {}", called(token),
                                         utc_text(from_timestamp(token.expire_time()))));
}

}  // namespace prefixmem::auth
