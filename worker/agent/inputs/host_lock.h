// A lock that processes of this host share, or have alone.
#pragma once

#include <filesystem>
#include <optional>

#include "common/fd.h"
#include "common/status.h"

namespace prefixmem::agent {

// Held until destroyed or the process dies. Threads of one process exclude each other too.
class HostLock {
 public:
  enum class Kind { kShared, kExclusive };

  // On a file, which is made where it is missing. Does not wait: none where somebody has it, of
  // which one alone must be exclusive.
  static Result<std::optional<HostLock>> try_to_get(const std::filesystem::path& file, Kind kind);

  // Of an exclusive one: shared from now on. False where somebody had it in between and may have
  // changed what it guards: it is no lock any more.
  Result<bool> share();
  // Of an exclusive one, with its file: whoever waits for it gets a new one.
  void remove();

 private:
  HostLock(Fd fd, std::filesystem::path file) : fd_(std::move(fd)), file_(std::move(file)) {}

  Fd fd_;
  std::filesystem::path file_;
};

}  // namespace prefixmem::agent
