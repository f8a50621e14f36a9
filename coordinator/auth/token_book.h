// All tokens, in memory: every call asks, none waits for the store.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/auth/token.h"

namespace prefixmem::auth {

// Thread-safe.
class TokenBook {
 public:
  explicit TokenBook(const Clock& clock) : clock_(clock) {}  // which outlives it

  // Adds it, or replaces the one of this digest.
  void put(const TokenRecord& record);
  std::optional<TokenRecord> find(const std::string& id) const;

  // Whose secret this is. FAILED_PRECONDITION with one sentence where nobody's, or where the token
  // was revoked or has expired.
  Result<v1::Token> owner(const std::string& secret) const;
  // The same, of the secret's digest (sha256_hex).
  Result<v1::Token> owner_of(const std::string& digest) const;
  // Whether owner would give one, of the secret's digest (sha256_hex); copies nothing.
  Status check(const std::string& digest) const;
  // The same as owner, whether or not the token counts.
  std::optional<v1::Token> whose(const std::string& secret) const;

 private:
  // In by_digest_.
  Result<const v1::Token*> counting(const std::string& digest) const PM_REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, v1::Token> by_digest_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::auth
