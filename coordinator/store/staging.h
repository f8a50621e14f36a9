// Blobs on their way into a store, as files of a folder:
//
//   incoming/<id>.tmp             on its way; removed when the folder is opened
//   unfinished/<sha256>.part      the same of one that may be gone on with; stays
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "common/thread_annotations.h"
#include "coordinator/store/blobs.h"
#include "coordinator/store/pins.h"

namespace prefixmem::store {

// None: the file is not there.
Result<std::optional<int64_t>> size_of_file(const std::filesystem::path& file);

// Thread-safe. Outlives its writers. See Blobs for what each does.
class Staging {
 public:
  // Makes a whole file the blob, durably, and leaves nothing of it here. The blob is pinned.
  using Publish = std::function<Status(const std::filesystem::path& file, const BlobPlan& blob)>;

  // Creates the folder where missing and removes what a crash left half-written.
  static Result<std::unique_ptr<Staging>> open(const std::filesystem::path& folder, Pins& pins,
                                               Publish publish);

  Result<std::unique_ptr<BlobWriter>> begin();
  Result<std::unique_ptr<BlobWriter>> resume(const BlobPlan& plan);
  Result<int64_t> unfinished(const std::string& sha256) const;
  Result<int> drop_unfinished(Millis age);

  // Of the disk, that content may not take: the database is on the same one.
  static constexpr int64_t kReserveBytes = int64_t{256} << 20;

 private:
  friend class StagedWriter;
  Staging(std::filesystem::path folder, Pins& pins, Publish publish)
      : folder_(std::move(folder)), pins_(pins), publish_(std::move(publish)) {}

  std::filesystem::path part_of(const std::string& sha256) const;
  Status check_room(int64_t bytes) const;
  // None where somebody else writes it.
  std::shared_ptr<const void> claim_part(const std::string& sha256);

  const std::filesystem::path folder_;
  Pins& pins_;
  const Publish publish_;
  Mutex mutex_;
  std::set<std::string> writing_ PM_GUARDED_BY(mutex_);  // their unfinished parts
};

}  // namespace prefixmem::store
