// The end of a long-running program: a signal that asks for it, or a fault of its own.
#pragma once

#include "common/fd.h"
#include "common/status.h"

namespace prefixmem {

// Holds SIGTERM and SIGINT back for this thread and those it starts later, so that they only become
// readable here; ignores SIGPIPE. Made once, before any other thread.
class Termination {
 public:
  static Result<Termination> watch();

  // Waits for a signal (true) or until `ended` is readable (false).
  bool wait(int ended) const;

 private:
  explicit Termination(Fd signals) : signals_(std::move(signals)) {}
  Fd signals_;
};

}  // namespace prefixmem
