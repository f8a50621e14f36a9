// Many wait for what they have noted to be in the store; one at a time writes it, for all.
#pragma once

#include <cstdint>
#include <optional>

#include "common/thread_annotations.h"

namespace prefixmem {

// With a mutex alone, whoever comes by writes next, and one who waits for it may be passed again
// and again although what it waits for has long been written.
class CommitTurns {
 public:
  // The right to write, up to its end.
  class Turn {
   public:
    explicit Turn(CommitTurns& turns) : turns_(turns) {}
    ~Turn() { turns_.end(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    CommitTurns& turns_;
  };

  // Waits until the batch is written, which gives none, or nobody writes.
  std::optional<Turn> take(int64_t batch);
  // By whose turn it is: all up to that batch is in the store and told.
  void wrote(int64_t batch);

 private:
  void end();

  Mutex mutex_;
  CondVar changed_;
  int64_t written_ PM_GUARDED_BY(mutex_) = 0;  // the newest batch
  bool taken_ PM_GUARDED_BY(mutex_) = false;
};

}  // namespace prefixmem
