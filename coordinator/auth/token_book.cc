#include "coordinator/auth/token_book.h"

#include "common/sha256.h"

namespace prefixmem::auth {

void TokenBook::put(const TokenRecord& record) {
  const MutexLock lock(mutex_);
  by_digest_[record.sha256] = record.token;
}

std::optional<TokenRecord> TokenBook::find(const std::string& id) const {
  const MutexLock lock(mutex_);
  for (const auto& [digest, token] : by_digest_) {
    if (token.id() == id) return TokenRecord{digest, token};
  }
  return std::nullopt;
}

std::optional<v1::Token> TokenBook::whose(const std::string& secret) const {
  const std::string digest = sha256_hex(secret);
  const MutexLock lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return std::nullopt;
  return found->second;
}

Result<v1::Token> TokenBook::owner(const std::string& secret) const {
  return owner_of(sha256_hex(secret));
}

Result<v1::Token> TokenBook::owner_of(const std::string& digest) const {
  const MutexLock lock(mutex_);
  PM_ASSIGN(const v1::Token* const token, counting(digest));
  return *token;
}

Status TokenBook::check(const std::string& digest) const {
  const MutexLock lock(mutex_);
  return counting(digest).status();
}

Result<const v1::Token*> TokenBook::counting(const std::string& digest) const {
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) {
    return failed_precondition("the token is none of this coordinator's");
  }
  PM_TRY(check_valid(found->second, clock_.wall()));
  return &found->second;
}

}  // namespace prefixmem::auth
