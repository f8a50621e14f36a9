// All that the store holds at one moment, to be read while the store goes on.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "common/status.h"
#include "coordinator/store/online_copy.h"

namespace prefixmem::store {

// The database as a file of its own, and the blobs that it names, none of which is removed as long
// as the snapshot lives. Not thread-safe; the store outlives it.
class Snapshot {
 public:
  static constexpr const char* kFolder = "snapshots";  // below the store's

  // What it was made of: see Store::begin_snapshot.
  Snapshot(std::unique_ptr<OnlineCopy> copy, std::filesystem::path file,
           std::shared_ptr<const void> keeper)
      : file_(std::move(file)), keeper_(std::move(keeper)), copy_(std::move(copy)) {}
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // Copies the next few MiB of the database; true once all of it is there.
  Result<bool> copy_more();
  int64_t copied_pages() const;
  int64_t pages() const;

  // Once all is there.
  const std::filesystem::path& file() const { return file_; }
  Result<std::set<std::string>> blobs() const;  // sha256

 private:
  const std::filesystem::path file_;
  const std::shared_ptr<const void> keeper_;
  std::unique_ptr<OnlineCopy> copy_;
};

}  // namespace prefixmem::store
