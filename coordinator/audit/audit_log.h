// Who changed what, when, and with what outcome: a JSON object a line, in files of bounded size.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/clock.h"
#include "common/fd.h"
#include "common/status.h"
#include "common/thread_annotations.h"

namespace prefixmem {

struct AuditEntry {
  WallTime time;
  nlohmann::ordered_json who;   // {"token": ID, "name": …}, {"worker": NAME} or {"anyone": "…"}
  std::string method;           // "prefixmem.v1.JobService/SubmitJob"
  nlohmann::ordered_json what;  // what of the call matters, by name; never a secret
  std::string code;             // gRPC's, by name
  std::string message;          // of a failure
};

struct AuditLimits {
  int64_t file_bytes = int64_t{16} << 20;
  int files = 8;  // the one written to and the older ones: FILE, FILE.1, …
};

// Thread-safe. A line is with the kernel when append() returns: it outlives the process, not a
// power cut.
class AuditLog {
 public:
  // Goes on with the file that is there. `on_failure` is called, once, when a line could not be
  // written: changes that leave no trace are not to be, so the process is to end.
  static Result<std::unique_ptr<AuditLog>> open(const std::filesystem::path& file,
                                                std::function<void(const Status&)> on_failure,
                                                const AuditLimits& limits = {});

  void append(const AuditEntry& entry);

 private:
  AuditLog(std::filesystem::path file, std::function<void(const Status&)> on_failure,
           const AuditLimits& limits)
      : file_(std::move(file)), on_failure_(std::move(on_failure)), limits_(limits) {}

  Status write(const std::string& line) PM_REQUIRES(mutex_);
  Status open_file() PM_REQUIRES(mutex_);
  Status rotate() PM_REQUIRES(mutex_);

  // Constant after construction.
  const std::filesystem::path file_;
  const std::function<void(const Status&)> on_failure_;
  const AuditLimits limits_;

  Mutex mutex_;
  Fd fd_ PM_GUARDED_BY(mutex_);
  int64_t bytes_ PM_GUARDED_BY(mutex_) = 0;
  bool failed_ PM_GUARDED_BY(mutex_) = false;
};

}  // namespace prefixmem
