// Browsers whose users have shown a token: a cookie with a secret of its own stands for it, for a
// while and no longer than the token counts.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "common/thread_annotations.h"

namespace prefixmem::web {

struct Session {
  std::string token_digest;  // sha256_hex of the token's secret
  std::string csrf;          // what a page of this session shows with what it changes
  MonotonicTime end{};
};

// In memory: a restart ends them all. Thread-safe.
class Sessions {
 public:
  static constexpr Millis kLife{12 * 3'600'000};
  static constexpr size_t kMost = 10'000;

  explicit Sessions(const Clock& clock) : clock_(clock) {}  // which outlives it

  // The secret of a new one. RESOURCE_EXHAUSTED where there are too many.
  Result<std::string> begin(const std::string& token_digest);
  std::optional<Session> find(const std::string& secret) const;
  void end(const std::string& secret);

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Session> by_digest_ PM_GUARDED_BY(mutex_);  // of their secrets
};

}  // namespace prefixmem::web
