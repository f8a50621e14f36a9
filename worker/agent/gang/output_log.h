// What a gang writes to stderr and stdout: whole in a file, its last lines in memory.
#pragma once

#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "common/status.h"
#include "worker/agent/gang/line_buffer.h"

namespace prefixmem::agent {

inline constexpr size_t kTailLines = 200;

// Not thread-safe.
class OutputLog {
 public:
  // Creates `file`, which takes at most `most_bytes`; what comes later is in the tail only.
  static Result<OutputLog> create(const std::filesystem::path& file,
                                  int64_t most_bytes = int64_t{64} << 20);

  Status add(std::string_view bytes);
  // No more will come: an unfinished line counts as one.
  void finish();

  // At most the last kTailLines lines, each UTF-8 of at most 4 KiB, newline after each.
  std::string tail() const;
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  OutputLog(Fd file, std::string name, int64_t most_bytes);
  void keep(std::string line);

  Fd file_;
  std::string name_;
  int64_t room_;
  LineBuffer buffer_;
  std::deque<std::string> lines_;
};

}  // namespace prefixmem::agent
