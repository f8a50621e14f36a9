#include "coordinator/core/commit_turns.h"

#include <utility>

namespace prefixmem {

std::optional<CommitTurns::Turn> CommitTurns::take(int64_t batch) {
  const MutexLock lock(mutex_);
  while (taken_ && written_ < batch) changed_.wait(mutex_);
  if (batch <= written_) return std::nullopt;
  taken_ = true;
  return std::optional<Turn>(std::in_place, *this);
}

void CommitTurns::wrote(int64_t batch) {
  {
    const MutexLock lock(mutex_);
    written_ = batch;
  }
  changed_.notify_all();
}

void CommitTurns::end() {
  {
    const MutexLock lock(mutex_);
    taken_ = false;
  }
  changed_.notify_all();
}

}  // namespace prefixmem
