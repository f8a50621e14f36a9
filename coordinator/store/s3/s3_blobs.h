// Blobs as objects of a bucket:
//
//   PREFIX<first two digits>/<sha256>   a blob, as in a folder (directory_blobs.h)
//   PREFIXstore                         whose they are: a bucket and prefix has one coordinator
//
// What is there is listed when it is opened and known from then on; what is to go is removed in the
// background. So only writers' finish() and readers' read() wait for S3.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "coordinator/store/blobs.h"
#include "coordinator/store/pins.h"
#include "coordinator/store/s3/client.h"
#include "coordinator/store/s3/objects.h"
#include "coordinator/store/s3/small_blobs.h"
#include "coordinator/store/staging.h"

namespace prefixmem::store::s3 {

// Outlives its readers too.
class S3Blobs final : public Blobs {
 public:
  // The file of its folder that says whose the blobs are; PREFIXstore has the same content.
  static constexpr const char* kIdentity = "store-id";

  enum class Owner {
    kSame,     // the store of this folder, or none yet
    kAnybody,  // from now on this folder's: of a restore
  };

  // Blobs come in through `folder`, made where missing, which also keeps the store's identity.
  // FAILED_PRECONDITION where the bucket refuses, or holds another store's blobs; UNAVAILABLE where
  // it cannot be reached.
  static Result<std::unique_ptr<Blobs>> open(const Options& options,
                                             const std::filesystem::path& folder,
                                             Owner owner = Owner::kSame);
  ~S3Blobs() override;

  std::string place() const override { return client_.options().place(); }
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
  Result<std::optional<int64_t>> size(const std::string& sha256) const override {
    return objects_->size(sha256);
  }
  std::shared_ptr<const void> pin(const std::string& sha256) override { return pins_.pin(sha256); }
  std::shared_ptr<const void> keep_all() override { return pins_.keep_all(); }
  Result<bool> remove(const std::string& sha256) override { return pins_.remove(sha256); }
  Result<int> keep_only(const std::set<std::string>& digests) override;
  void stop_waiting() override { client_.stop(); }

 private:
  explicit S3Blobs(const Options& options);

  Status check_owner(const std::filesystem::path& folder, Owner owner);
  Status look();
  std::string key_of(const std::string& sha256) const;
  Status publish(const std::filesystem::path& file, const BlobPlan& blob);
  Status send(const std::filesystem::path& file, const BlobPlan& blob);
  // Removes what is to go, until the end.
  void clean_up();

  mutable Client client_;
  mutable SmallBlobs small_;
  std::unique_ptr<Objects> objects_;
  Pins pins_;
  std::unique_ptr<Staging> staging_;
  std::thread cleaner_;
};

}  // namespace prefixmem::store::s3
