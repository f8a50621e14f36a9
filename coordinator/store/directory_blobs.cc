#include "coordinator/store/directory_blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/disk_space.h"
#include "common/fd.h"
#include "common/files.h"
#include "common/id.h"
#include "common/sha256.h"

namespace prefixmem::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIncoming = "incoming";
constexpr const char* kUnfinished = "unfinished";
constexpr std::string_view kPart = ".part";

Status remove_leftovers(const fs::path& incoming) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(incoming, error)) {
    fs::remove(entry.path(), error);
    if (error) break;
  }
  return error ? from_errno("removing unfinished uploads in " + incoming.string(), error.value())
               : Status();
}

// That the disk takes no more is no fault of who brings the blob.
Status tried_again(const Status& status) {
  return status.ok() ? status : unavailable("the store takes no file: " + status.message());
}

// None: the file is not there.
Result<std::optional<int64_t>> size_of(const fs::path& file) {
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0) return std::optional<int64_t>(info.st_size);
  if (errno == ENOENT) return std::optional<int64_t>();
  return from_errno("examining " + file.string(), errno);
}

class FileReader final : public BlobReader {
 public:
  FileReader(Fd fd, int64_t bytes) : fd_(std::move(fd)), bytes_(bytes) {}
  int64_t bytes() const override { return bytes_; }

  Result<std::string> read(size_t most) override {
    std::string bytes(most, '\0');
    ssize_t count = -1;
    do {
      count = ::read(fd_.get(), bytes.data(), bytes.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) return from_errno("reading a blob", errno);
    bytes.resize(static_cast<size_t>(count));
    return bytes;
  }

 private:
  const Fd fd_;
  const int64_t bytes_;
};

}  // namespace

// One whose file may be gone on with holds a claim to it.
class DirectoryBlobWriter final : public BlobWriter {
 public:
  DirectoryBlobWriter(DirectoryBlobs& blobs, fs::path file, Fd fd,
                      std::shared_ptr<const void> claim)
      : blobs_(blobs), file_(std::move(file)), fd_(std::move(fd)), claim_(std::move(claim)) {}
  ~DirectoryBlobWriter() override {
    if (fd_.valid() && !claim_) ::unlink(file_.c_str());
  }

  Status go_on_from(int64_t offset) {
    if (::ftruncate(fd_.get(), offset) != 0 || ::lseek(fd_.get(), offset, SEEK_SET) < 0) {
      return from_errno("going on with " + file_.string(), errno);
    }
    PM_TRY(update_from_file(digest_, file_));
    bytes_ = written_back_ = offset;
    return {};
  }

  // On a full disk nothing is worth keeping: others need the room.
  Status write(std::string_view chunk) override {
    Status status = write_all(fd_.get(), chunk, file_.string());
    if (status.ok()) {
      digest_.update(chunk);
      bytes_ += static_cast<int64_t>(chunk.size());
      if (bytes_ - written_back_ >= kWriteBack) status = write_back();
    }
    if (status.code() == Code::kResourceExhausted) discard();
    return told(status);
  }

  int64_t bytes() const override { return bytes_; }

  void discard() override {
    ::unlink(file_.c_str());
    fd_.reset();
  }

  Status finish(const std::string& sha256) override {
    const std::string actual = digest_.finish_hex();
    if (actual != sha256) {
      discard();
      return data_loss(fmt::format("content of {} bytes has sha256 {}, announced was {}", bytes_,
                                   actual, sha256));
    }
    pin_ = blobs_.pin(sha256);
    PM_TRY(told(blobs_.publish(file_, sha256)));
    fd_.reset();
    return {};
  }

 private:
  // Who goes on with a file is to know what is wrong; who begins it anew has but to wait.
  Status told(const Status& status) const { return claim_ ? status : tried_again(status); }

  static constexpr int64_t kWriteBack = int64_t{8} << 20;

  // Has the disk begin, so that the sync at the end is short. A hint: what fails here fails there.
  // Uploads side by side have each found room at their beginning, so content looks again.
  Status write_back() {
    ::sync_file_range(fd_.get(), written_back_, bytes_ - written_back_, SYNC_FILE_RANGE_WRITE);
    written_back_ = bytes_;
    return claim_ ? blobs_.check_room(0) : Status();
  }

  DirectoryBlobs& blobs_;
  const fs::path file_;
  Fd fd_;                                    // none once it is finished or dropped
  const std::shared_ptr<const void> claim_;  // to an unfinished file that stays
  std::shared_ptr<const void> pin_;          // once it is finished
  Sha256 digest_;
  int64_t bytes_ = 0;
  int64_t written_back_ = 0;
};

fs::path place_of_blob(const fs::path& folder, const std::string& sha256) {
  return folder / sha256.substr(0, 2) / sha256;
}

Result<std::unique_ptr<BlobReader>> read_as_blob(const fs::path& file, int64_t offset) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return from_errno("examining " + file.string(), errno);
  if (::lseek(fd.get(), offset, SEEK_SET) < 0) {
    return from_errno("reading " + file.string(), errno);
  }
  return std::unique_ptr<BlobReader>(std::make_unique<FileReader>(std::move(fd), info.st_size));
}

Result<std::unique_ptr<Blobs>> DirectoryBlobs::open(const fs::path& folder) {
  PM_TRY(make_folders(folder / kIncoming));
  PM_TRY(make_folders(folder / kUnfinished));
  PM_TRY(remove_leftovers(folder / kIncoming));
  return std::unique_ptr<Blobs>(new DirectoryBlobs(folder));
}

fs::path DirectoryBlobs::part_of(const std::string& sha256) const {
  return folder_ / kUnfinished / (sha256 + std::string(kPart));
}

Result<std::unique_ptr<BlobWriter>> DirectoryBlobs::begin() {
  auto file = folder_ / kIncoming / (new_id("blob") + ".tmp");
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return tried_again(from_errno("creating " + file.string(), errno));
  return std::unique_ptr<BlobWriter>(
      std::make_unique<DirectoryBlobWriter>(*this, std::move(file), std::move(fd), nullptr));
}

Result<std::unique_ptr<BlobWriter>> DirectoryBlobs::resume(const BlobPlan& plan) {
  const auto claim = claim_part(plan.sha256);
  if (!claim) return unavailable(plan.sha256 + " is being uploaded by another call");
  PM_ASSIGN(const int64_t there, unfinished(plan.sha256));
  if (plan.offset > there) {
    return failed_precondition(
        fmt::format("offset is {} of {}, of which {} bytes are there; allowed: at most so many",
                    plan.offset, plan.sha256, there));
  }
  PM_TRY(check_room(plan.bytes - there));
  auto file = part_of(plan.sha256);
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  auto writer = std::make_unique<DirectoryBlobWriter>(*this, std::move(file), std::move(fd), claim);
  PM_TRY(writer->go_on_from(plan.offset));
  return std::unique_ptr<BlobWriter>(std::move(writer));
}

Result<int64_t> DirectoryBlobs::unfinished(const std::string& sha256) const {
  PM_ASSIGN(const auto size, size_of(part_of(sha256)));
  return size.value_or(0);
}

Result<int> DirectoryBlobs::drop_unfinished(Millis age) {
  int dropped = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_ / kUnfinished, error)) {
    const std::string name = entry.path().filename();
    const auto last = entry.last_write_time(error);
    if (error) return from_errno("examining " + entry.path().string(), error.value());
    if (!name.ends_with(kPart) || fs::file_time_type::clock::now() - last < age) continue;
    const auto claim = claim_part(name.substr(0, name.size() - kPart.size()));
    if (claim && fs::remove(entry.path(), error)) ++dropped;
    if (error) return from_errno("removing " + entry.path().string(), error.value());
  }
  if (error) return from_errno("listing " + (folder_ / kUnfinished).string(), error.value());
  return dropped;
}

Result<std::unique_ptr<BlobReader>> DirectoryBlobs::read(const std::string& sha256,
                                                         int64_t offset) const {
  return read_as_blob(place_of_blob(folder_, sha256), offset);
}

Result<std::optional<int64_t>> DirectoryBlobs::size(const std::string& sha256) const {
  return size_of(place_of_blob(folder_, sha256));
}

// Under the lock, so that no writer pins it and publishes it between the look and the removal.
Result<bool> DirectoryBlobs::remove(const std::string& sha256) {
  const MutexLock lock(mutex_);
  if (pinned_.contains(sha256)) return false;
  if (keepers_ == 0) return unlink_blob(sha256);
  put_off_.insert(sha256);
  return false;
}

Result<bool> DirectoryBlobs::unlink_blob(const std::string& sha256) {
  const auto file = place_of_blob(folder_, sha256);
  if (::unlink(file.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return from_errno("removing blob " + file.string(), errno);
}

Result<int> DirectoryBlobs::keep_only(const std::set<std::string>& digests) {
  int removed = 0;
  std::error_code error;
  fs::recursive_directory_iterator at(folder_, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename();
    if (!is_sha256(name) || digests.contains(name)) continue;
    PM_ASSIGN(const bool gone, remove(name));
    removed += gone ? 1 : 0;
  }
  if (error) return from_errno("listing the blobs in " + folder_.string(), error.value());
  return removed;
}

std::shared_ptr<const void> DirectoryBlobs::pin(const std::string& sha256) {
  {
    const MutexLock lock(mutex_);
    pinned_.insert(sha256);
    put_off_.erase(sha256);
  }
  return {this, [this, sha256](const void*) { unpin(sha256); }};
}

void DirectoryBlobs::unpin(const std::string& sha256) {
  const MutexLock lock(mutex_);
  pinned_.erase(pinned_.find(sha256));
}

std::shared_ptr<const void> DirectoryBlobs::keep_all() {
  const MutexLock lock(mutex_);
  keepers_ += 1;
  return {this, [this](const void*) { release(); }};
}

// What cannot be removed is tried again when the store is next opened.
void DirectoryBlobs::release() {
  const MutexLock lock(mutex_);
  if (--keepers_ > 0) return;
  for (const std::string& sha256 : std::exchange(put_off_, {})) {
    const auto removed = unlink_blob(sha256);
    if (!removed.ok()) spdlog::warn("{}", removed.status().message());
  }
}

std::shared_ptr<const void> DirectoryBlobs::claim_part(const std::string& sha256) {
  {
    const MutexLock lock(mutex_);
    if (!writing_.insert(sha256).second) return nullptr;
  }
  return {this, [this, sha256](const void*) {
            const MutexLock lock(mutex_);
            writing_.erase(sha256);
          }};
}

Status DirectoryBlobs::check_room(int64_t bytes) const {
  PM_ASSIGN(const DiskSpace disk, disk_space(folder_));
  if (bytes <= disk.free_bytes - kReserveBytes) return {};
  return resource_exhausted(
      fmt::format("{} more bytes of content do not fit on the coordinator's disk, which has {} "
                  "bytes free and keeps {} of them for its database",
                  bytes, disk.free_bytes, kReserveBytes));
}

Status DirectoryBlobs::publish(const fs::path& file, const std::string& sha256) {
  const auto place = place_of_blob(folder_, sha256);
  PM_TRY(make_subfolder(place.parent_path()));
  return publish_file(file, place);
}

// One that is there may have just been made by another thread and not be synced yet.
Status DirectoryBlobs::make_subfolder(const fs::path& subfolder) {
  {
    const MutexLock lock(mutex_);
    if (subfolders_.contains(subfolder)) return {};
  }
  PM_TRY(make_folders(subfolder));
  PM_TRY(sync_folder(folder_));
  const MutexLock lock(mutex_);
  subfolders_.insert(subfolder);
  return {};
}

}  // namespace prefixmem::store
