#include "coordinator/store/s3/s3_blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/fd.h"
#include "common/files.h"
#include "common/id.h"
#include "common/sha256.h"
#include "coordinator/store/directory_blobs.h"

namespace prefixmem::store::s3 {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOwner = "store";  // the object below the prefix
constexpr int64_t kRangeBytes = int64_t{8} << 20;

// Whoever reads for a job is to wait until the operator has seen to it, as with a full disk.
Status tried_again_later(const Status& status) {
  return status.code() == Code::kFailedPrecondition ? unavailable(status.message()) : status;
}

// By ranges, so that it takes little memory and goes on where a connection broke.
class ObjectReader final : public BlobReader {
 public:
  ObjectReader(Client& client, Objects& objects, SmallBlobs& small, std::string sha256,
               std::string key, int64_t bytes, int64_t offset)
      : client_(client),
        objects_(objects),
        small_(small),
        sha256_(std::move(sha256)),
        key_(std::move(key)),
        bytes_(bytes),
        next_(std::min(offset, bytes)) {}
  ~ObjectReader() override { objects_.close(sha256_); }

  int64_t bytes() const override { return bytes_; }

  Result<std::string> read(size_t most) override {
    if (used_ == buffer_.size() && next_ < bytes_) PM_TRY(fetch());
    std::string piece = buffer_.substr(used_, most);
    used_ += piece.size();
    return piece;
  }

 private:
  Status fetch() {
    if (auto small = small_.find(sha256_)) {
      buffer_ = small->substr(static_cast<size_t>(next_));
    } else {
      auto got = client_.get(key_, next_, std::min(kRangeBytes, bytes_ - next_));
      if (got.status().code() == Code::kNotFound) {
        objects_.forget(sha256_);
        return got.status().with_context("a file of the store has been removed from outside");
      }
      if (!got.ok()) return tried_again_later(got.status());
      buffer_ = std::move(got).value();
      if (static_cast<int64_t>(buffer_.size()) == bytes_) small_.add(sha256_, buffer_);
    }
    used_ = 0;
    next_ += static_cast<int64_t>(buffer_.size());
    return {};
  }

  Client& client_;
  Objects& objects_;
  SmallBlobs& small_;
  const std::string sha256_, key_;
  const int64_t bytes_;
  std::string buffer_;
  size_t used_ = 0;  // of the buffer
  int64_t next_;     // after the buffer
};

// The folder's own, made where it has none.
Result<std::string> identity_of(const fs::path& folder) {
  const fs::path file = folder / S3Blobs::kIdentity;
  auto there = read_file(file, 256);
  if (there.status().code() != Code::kNotFound) return there;
  std::string id = new_id("store") + "\n";
  PM_TRY(write_file_atomic(file, id));
  return id;
}

}  // namespace

S3Blobs::S3Blobs(const Options& options)
    : client_(options),
      pins_([this](const std::string& sha256) -> Result<bool> { return objects_->doom(sha256); }) {}

S3Blobs::~S3Blobs() {
  if (!cleaner_.joinable()) return;
  objects_->end();
  client_.stop();
  cleaner_.join();
}

Result<std::unique_ptr<Blobs>> S3Blobs::open(const Options& options, const fs::path& folder,
                                             Owner owner) {
  PM_TRY(make_folders(folder));
  std::unique_ptr<S3Blobs> blobs(new S3Blobs(options));
  PM_TRY(blobs->look());
  PM_TRY(blobs->check_owner(folder, owner));
  PM_ASSIGN(const int aborted, blobs->client_.abort_uploads(options.prefix));
  if (aborted > 0) spdlog::info("dropped the parts of {} uploads that were cut off", aborted);
  PM_ASSIGN(blobs->staging_,
            Staging::open(folder, blobs->pins_,
                          [self = blobs.get()](const fs::path& file, const BlobPlan& blob) {
                            return self->publish(file, blob);
                          }));
  blobs->cleaner_ = std::thread([self = blobs.get()] { self->clean_up(); });
  return std::unique_ptr<Blobs>(std::move(blobs));
}

Status S3Blobs::look() {
  const std::string& prefix = client_.options().prefix;
  PM_ASSIGN(const auto listed, client_.list(prefix));
  std::map<std::string, int64_t> sizes;
  for (const auto& [key, bytes] : listed) {
    const std::string sha256 = key.substr(key.rfind('/') + 1);
    if (is_sha256(sha256) && key == key_of(sha256)) sizes[sha256] = bytes;
  }
  objects_ = std::make_unique<Objects>(sizes);
  return {};
}

Status S3Blobs::check_owner(const fs::path& folder, Owner owner) {
  PM_ASSIGN(const std::string own, identity_of(folder));
  const std::string key = client_.options().prefix + kOwner;
  const auto there = client_.get(key);
  if (there.ok() && *there == own) return {};
  if (!there.ok() && there.status().code() != Code::kNotFound) return there.status();
  if (there.ok() && owner == Owner::kSame) {
    return failed_precondition(fmt::format(
        "{} holds the files of another data folder: its object {} is another than {}; allowed: a "
        "prefix of its own for each coordinator. To take over what is there, restore a backup",
        place(), kOwner, (folder / kIdentity).string()));
  }
  return client_.put(key, own);
}

std::string S3Blobs::key_of(const std::string& sha256) const {
  return place_of_blob(client_.options().prefix, sha256).string();
}

Result<std::unique_ptr<BlobReader>> S3Blobs::read(const std::string& sha256, int64_t offset) const {
  const auto bytes = objects_->open(sha256);
  if (!bytes) return not_found(fmt::format("{} has no {}", place(), key_of(sha256)));
  return std::unique_ptr<BlobReader>(std::make_unique<ObjectReader>(
      client_, *objects_, small_, sha256, key_of(sha256), *bytes, offset));
}

Result<int> S3Blobs::keep_only(const std::set<std::string>& digests) {
  int removed = 0;
  for (const std::string& sha256 : objects_->all()) {
    if (digests.contains(sha256)) continue;
    PM_ASSIGN(const bool gone, remove(sha256));
    removed += gone ? 1 : 0;
  }
  return removed;
}

// One that is there is not sent again.
Status S3Blobs::publish(const fs::path& file, const BlobPlan& blob) {
  if (!objects_->revive(blob.sha256, blob.bytes)) PM_TRY(send(file, blob));
  if (::unlink(file.c_str()) == 0) return {};
  return from_errno("removing " + file.string(), errno);
}

Status S3Blobs::send(const fs::path& file, const BlobPlan& blob) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  PM_TRY(client_.put_file(key_of(blob.sha256), fd.get(), blob.bytes, blob.sha256));
  if (blob.bytes <= SmallBlobs::kMostBytes) {
    PM_ASSIGN(std::string content, read_file(file));
    small_.add(blob.sha256, std::move(content));
  }
  objects_->add(blob.sha256, blob.bytes);
  return {};
}

// What cannot be removed now is tried again, or when the store is next opened.
void S3Blobs::clean_up() {
  while (const auto sha256 = objects_->take_doomed()) {
    const Status removed = client_.remove(key_of(*sha256));
    if (!removed.ok()) spdlog::warn("removing a file: {}", removed.message());
    if (removed.code() == Code::kUnavailable) {
      objects_->not_gone(*sha256);
    } else {
      objects_->gone(*sha256);
    }
  }
}

}  // namespace prefixmem::store::s3
