// Files by their content: <folder>/<first two digits>/<sha256>. A blob is whole or absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "common/sha256.h"
#include "common/status.h"
#include "common/thread_annotations.h"

namespace prefixmem::store {

class Blobs;

// Takes in one blob; not thread-safe. Destroyed unfinished, it removes what it wrote. Once finished
// it keeps the blob from being removed as long as it lives: until then the blob can be listed.
// UNAVAILABLE where the disk takes no more.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept = default;
  BlobWriter& operator=(BlobWriter&&) = delete;
  ~BlobWriter();

  Status write(std::string_view chunk);
  int64_t bytes() const { return bytes_; }
  // Durable when it returns OK. DATA_LOSS where the content's digest is another than `sha256`.
  Status finish(const std::string& sha256);

 private:
  friend class Blobs;
  BlobWriter(Blobs& blobs, std::filesystem::path temporary, Fd fd)
      : blobs_(&blobs), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  Blobs* blobs_;
  std::filesystem::path temporary_;
  Fd fd_;                            // none once it is finished
  std::shared_ptr<const void> pin_;  // once it is finished
  Sha256 digest_;
  int64_t bytes_ = 0;
};

// Reads one blob from its beginning; not thread-safe.
class BlobReader {
 public:
  explicit BlobReader(Fd fd) : fd_(std::move(fd)) {}
  // The next bytes, at most `most`; empty at the end.
  Result<std::string> read(size_t most);
  Result<int64_t> size() const;  // in bytes, of the whole

 private:
  Fd fd_;
};

// Thread-safe. Outlives its writers.
class Blobs {
 public:
  // Creates the folder where missing and removes what a crash left half-written.
  static Result<std::unique_ptr<Blobs>> open(const std::filesystem::path& folder);

  Result<BlobWriter> begin();
  Result<BlobReader> read(const std::string& sha256) const;  // NOT_FOUND

  // Whether it went; readers go on. One that a living writer has finished stays, and so does any
  // while somebody keeps them all.
  Result<bool> remove(const std::string& sha256);
  // Removes all others, as above; how many.
  Result<int> keep_only(const std::set<std::string>& digests);
  // Nothing is removed until the handle is gone; then what should have been is, unless a writer has
  // brought it again.
  std::shared_ptr<const void> keep_all();

 private:
  friend class BlobWriter;
  explicit Blobs(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // Not removed until the handle is gone.
  std::shared_ptr<const void> pin(const std::string& sha256);
  void unpin(const std::string& sha256);
  void release();
  Result<bool> unlink_blob(const std::string& sha256) PM_REQUIRES(mutex_);
  // Durable when it returns OK, whoever has created it.
  Status make_subfolder(const std::filesystem::path& subfolder);

  const std::filesystem::path folder_;
  Mutex mutex_;
  std::multiset<std::string> pinned_ PM_GUARDED_BY(mutex_);
  int keepers_ PM_GUARDED_BY(mutex_) = 0;
  std::set<std::string> put_off_ PM_GUARDED_BY(mutex_);               // until nobody keeps them all
  std::set<std::filesystem::path> subfolders_ PM_GUARDED_BY(mutex_);  // known to be durable
};

// Where the blob lies below the folder of all of them, here as in a backup.
std::filesystem::path place_of_blob(const std::filesystem::path& folder, const std::string& sha256);

}  // namespace prefixmem::store
