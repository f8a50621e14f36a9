// Blobs as files of a folder:
//
//   <first two digits>/<sha256>   a blob
//   incoming/<id>.tmp             on its way; removed when the folder is opened
//   unfinished/<sha256>.part      the same of one that may be gone on with; stays
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "common/thread_annotations.h"
#include "coordinator/store/blobs.h"

namespace prefixmem::store {

// Where the blob lies below the folder of all of them, here as in a backup.
std::filesystem::path place_of_blob(const std::filesystem::path& folder, const std::string& sha256);

// Of any file, from an offset on. NOT_FOUND.
Result<std::unique_ptr<BlobReader>> read_as_blob(const std::filesystem::path& file,
                                                 int64_t offset = 0);

class DirectoryBlobs final : public Blobs {
 public:
  // Creates the folder where missing and removes what a crash left half-written.
  static Result<std::unique_ptr<Blobs>> open(const std::filesystem::path& folder);

  Result<std::unique_ptr<BlobWriter>> begin() override;
  Result<std::unique_ptr<BlobWriter>> resume(const BlobPlan& plan) override;
  Result<int64_t> unfinished(const std::string& sha256) const override;
  Result<int> drop_unfinished(Millis age) override;
  Result<std::unique_ptr<BlobReader>> read(const std::string& sha256,
                                           int64_t offset = 0) const override;
  Result<std::optional<int64_t>> size(const std::string& sha256) const override;
  std::shared_ptr<const void> pin(const std::string& sha256) override;
  std::shared_ptr<const void> keep_all() override;
  Result<bool> remove(const std::string& sha256) override;
  Result<int> keep_only(const std::set<std::string>& digests) override;

  // Of the disk, that content may not take: the database is on the same one.
  static constexpr int64_t kReserveBytes = int64_t{256} << 20;

 private:
  friend class DirectoryBlobWriter;
  explicit DirectoryBlobs(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path part_of(const std::string& sha256) const;
  Status check_room(int64_t bytes) const;
  // A synced file becomes the blob. Durable when it returns OK.
  Status publish(const std::filesystem::path& file, const std::string& sha256);
  // Durable when it returns OK, whoever has created it.
  Status make_subfolder(const std::filesystem::path& subfolder);
  void unpin(const std::string& sha256);
  void release();
  Result<bool> unlink_blob(const std::string& sha256) PM_REQUIRES(mutex_);
  // None where somebody else writes it.
  std::shared_ptr<const void> claim_part(const std::string& sha256);

  const std::filesystem::path folder_;
  Mutex mutex_;
  std::multiset<std::string> pinned_ PM_GUARDED_BY(mutex_);
  int keepers_ PM_GUARDED_BY(mutex_) = 0;
  std::set<std::string> put_off_ PM_GUARDED_BY(mutex_);               // until nobody keeps them all
  std::set<std::string> writing_ PM_GUARDED_BY(mutex_);               // their unfinished parts
  std::set<std::filesystem::path> subfolders_ PM_GUARDED_BY(mutex_);  // known to be durable
};

}  // namespace prefixmem::store
