// Files that are whole or absent, whatever dies when.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "common/status.h"

namespace prefixmem {

// Replaces `file` with `bytes`: writes a temporary file beside it, syncs it, renames it over `file`
// and syncs the folder. After a crash `file` is the old one or the new one, never a part. The
// folder must exist. Temporary files end in ".tmp"; one left by a crash may be removed.
Status write_file_atomic(const std::filesystem::path& file, std::string_view bytes);

// The last two steps alone, for a writer that streams: syncs `temporary` (closed or still open
// elsewhere), renames it to `file` (same folder or same file system) and syncs the folder of
// `file`.
Status publish_file(const std::filesystem::path& temporary, const std::filesystem::path& file);

// Makes renames and removals in `folder` durable.
Status sync_folder(const std::filesystem::path& folder);

// Writes all bytes to an open descriptor, over interruptions and short writes. `what` names the
// target in an error.
Status write_all(int fd, std::string_view bytes, std::string_view what);

// The whole file. A file above `max_bytes` is RESOURCE_EXHAUSTED, a folder FAILED_PRECONDITION.
Result<std::string> read_file(const std::filesystem::path& file,
                              int64_t max_bytes = int64_t{1} << 30);

// Opens, to read, what `path` names below `folder`. INVALID_ARGUMENT where it leads out of it or
// over a link: who else writes there must not choose what is read.
Result<Fd> open_beneath(const std::filesystem::path& folder, const std::filesystem::path& path);

// Creates the folder and its parents; an existing folder is fine.
Status make_folders(const std::filesystem::path& folder);

// With all below it; links themselves, not what they lead to. A path that is not there is fine.
Status remove_tree(const std::filesystem::path& path);

// Whether a path is the folder or lies below it, by their names: both are canonical.
bool is_inside(const std::filesystem::path& path, const std::filesystem::path& folder);

// An exclusive lock on a file (created where missing), held until destroyed or the process dies.
class FileLock {
 public:
  // Does not wait: FAILED_PRECONDITION where another process (or another FileLock) holds it.
  static Result<FileLock> acquire(const std::filesystem::path& file);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace prefixmem
