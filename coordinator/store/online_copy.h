// SQLite's online backup: a copy of a database as it is at one moment, while others write to it.
#pragma once

#include <filesystem>
#include <memory>

#include "common/status.h"
#include "coordinator/store/sqlite.h"

struct sqlite3_backup;

namespace prefixmem::store {

// Not thread-safe. What is committed after begin() is not in the copy. The write-ahead log of
// `from` cannot be reused before the copy is gone, so it grows meanwhile.
class OnlineCopy {
 public:
  // `to` must not exist.
  static Result<std::unique_ptr<OnlineCopy>> begin(const std::filesystem::path& from,
                                                   const std::filesystem::path& to);

  // Copies about `pages` further. True once all is there: then `to` is closed.
  Result<bool> step(int pages);
  int64_t pages() const;      // of all, known after the first step
  int64_t remaining() const;  // pages

 private:
  struct Finish {
    void operator()(sqlite3_backup* copy) const;
  };
  OnlineCopy(Database from, Database to) : from_(std::move(from)), to_(std::move(to)) {}

  Database from_;  // holds a read transaction
  Database to_;
  std::unique_ptr<sqlite3_backup, Finish> copy_;
};

}  // namespace prefixmem::store
