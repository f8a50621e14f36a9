#include "coordinator/web/sessions.h"

#include <fmt/format.h>

#include "common/sha256.h"
#include "coordinator/auth/token.h"

namespace prefixmem::web {

Result<std::string> Sessions::begin(const std::string& token_digest) {
  const MonotonicTime now = clock_.monotonic();
  std::string secret = auth::unguessable();
  const MutexLock lock(mutex_);
  std::erase_if(by_digest_, [now](const auto& entry) { return entry.second.end <= now; });
  if (by_digest_.size() >= kMost) {
    return resource_exhausted(
        fmt::format("{} sessions are open; allowed: no more at once", by_digest_.size()));
  }
  by_digest_[sha256_hex(secret)] = {
      .token_digest = token_digest, .csrf = auth::unguessable(), .end = now + kLife};
  return secret;
}

std::optional<Session> Sessions::find(const std::string& secret) const {
  const MonotonicTime now = clock_.monotonic();
  const std::string digest = sha256_hex(secret);
  const MutexLock lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() || found->second.end <= now) return std::nullopt;
  return found->second;
}

void Sessions::end(const std::string& secret) {
  const std::string digest = sha256_hex(secret);
  const MutexLock lock(mutex_);
  by_digest_.erase(digest);
}

}  // namespace prefixmem::web
