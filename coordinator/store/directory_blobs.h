// Blobs as files of a folder:
//
//   <first two digits>/<sha256>   a blob
//   incoming/, unfinished/        on their way (staging.h)
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "common/thread_annotations.h"
#include "coordinator/store/blobs.h"
#include "coordinator/store/pins.h"
#include "coordinator/store/staging.h"

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

  std::string place() const override { return folder_.string(); }
  Result<std::unique_ptr<BlobWriter>> begin() override { return staging_->begin(); }
  Result<std::unique_ptr<BlobWriter>> resume(const BlobPlan& plan) override {
    return staging_->resume(plan);
  }
  Result<int64_t> unfinished(const std::string& sha256) const override {
    return staging_->unfinished(sha256);
  }
  Result<int> drop_unfinished(Millis age) override { return staging_->drop_unfinished(age); }
  Result<std::unique_ptr<BlobReader>> read(const std::string& sha256,
                                           int64_t offset = 0) const override;
  Result<std::optional<int64_t>> size(const std::string& sha256) const override;
  std::shared_ptr<const void> pin(const std::string& sha256) override { return pins_.pin(sha256); }
  std::shared_ptr<const void> keep_all() override { return pins_.keep_all(); }
  Result<bool> remove(const std::string& sha256) override { return pins_.remove(sha256); }
  Result<int> keep_only(const std::set<std::string>& digests) override;

 private:
  explicit DirectoryBlobs(std::filesystem::path folder);

  // A synced file becomes the blob. Durable when it returns OK.
  Status publish(const std::filesystem::path& file, const std::string& sha256);
  // Durable when it returns OK, whoever has created it.
  Status make_subfolder(const std::filesystem::path& subfolder);
  Result<bool> unlink_blob(const std::string& sha256);

  const std::filesystem::path folder_;
  Pins pins_;
  std::unique_ptr<Staging> staging_;
  Mutex mutex_;
  std::set<std::filesystem::path> subfolders_ PM_GUARDED_BY(mutex_);  // known to be durable
};

}  // namespace prefixmem::store
