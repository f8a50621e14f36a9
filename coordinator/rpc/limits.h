// What one caller may ask of the gRPC port, so that none keeps it from the others.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "common/thread_annotations.h"

namespace prefixmem::rpc {

struct Limits {
  int message_mib = 16;           // of any message that comes in; a worker's chunks have 1
  int spec_kib = 1024;            // of a job spec, as YAML or as a message
  int calls_per_second = 200;     // of one caller, in the long run; ten seconds' worth at once
  int streams_per_caller = 1000;  // watches, logs, uploads, downloads and backups
};

// INVALID_ARGUMENT naming the flag, its value and what is allowed.
Status check(const Limits& limits);

// RESOURCE_EXHAUSTED where a spec has more bytes than are allowed.
Status check_spec_size(size_t bytes, const Limits& limits);

// Counts calls and streams by caller, which is any text that stays the same for one. Thread-safe.
class CallerLimits {
 public:
  CallerLimits(const Clock& clock, const Limits& limits) : clock_(clock), limits_(limits) {}

  const Limits& limits() const { return limits_; }

  // Counts a call. RESOURCE_EXHAUSTED, and not counted, where there were too many.
  Status admit(const std::string& caller);
  // A place for a stream, held until the handle is gone; this object outlives it.
  // RESOURCE_EXHAUSTED where all are taken.
  Result<std::shared_ptr<const void>> open_stream(const std::string& caller);

 private:
  // A bucket that fills by the second and of which each call takes one.
  struct Caller {
    double left = 0;  // calls
    MonotonicTime at{};
    int streams = 0;
  };

  Caller& caller_of(const std::string& name) PM_REQUIRES(mutex_);
  void forget_idle() PM_REQUIRES(mutex_);
  void close_stream(const std::string& caller);
  double most_at_once() const;

  // Constant after construction.
  const Clock& clock_;
  const Limits limits_;

  Mutex mutex_;
  std::map<std::string, Caller> callers_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::rpc
