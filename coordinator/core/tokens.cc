// Tokens of users: durable first, then they count.
#include <fmt/format.h>

#include "common/proto/timestamps.h"
#include "common/sha256.h"
#include "common/spec/utf8.h"
#include "coordinator/core/coordinator.h"

namespace prefixmem {

Status Coordinator::load_tokens() {
  PM_ASSIGN(const auto records, reader().tokens());
  for (const auth::TokenRecord& record : records) tokens_.put(record);
  return {};
}

Status Coordinator::write_token(const auth::TokenRecord& record) {
  PM_TRY(failure());
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  transaction.put_token(record);
  PM_TRY(commit(transaction, begin, 0));
  tokens_.put(record);
  const std::string tenant = auth::tenant_of(record.token);
  const MutexLock lock(mutex_);
  live_.tenant(tenant);
  return {};
}

Result<v1::CreateTokenResponse> Coordinator::create_token(const v1::CreateTokenRequest& request) {
  v1::CreateTokenResponse response;
  PM_ASSIGN(*response.mutable_token(), auth::new_token(request, environment_.clock.wall()));
  response.set_secret(auth::new_secret());
  const MutexLock writing(write_mutex_);
  PM_TRY(write_token({sha256_hex(response.secret()), response.token()}));
  return response;
}

Result<v1::Token> Coordinator::revoke_token(const std::string& id) {
  PM_ASSIGN(const v1::Token token, mark_revoked(id));
  subscriptions_.notify_all();  // its owner's streams find that they have no permit any more
  return token;
}

Result<v1::Token> Coordinator::mark_revoked(const std::string& id) {
  const MutexLock writing(write_mutex_);
  auto record = tokens_.find(id);
  if (!record) return not_found(fmt::format("there is no token {}", spec::shortened(id, 80)));
  if (record->token.has_revoke_time()) {
    return failed_precondition(fmt::format("token {} is revoked already", id));
  }
  *record->token.mutable_revoke_time() = to_timestamp(environment_.clock.wall());
  PM_TRY(write_token(*record));
  return record->token;
}

}  // namespace prefixmem
