#include "coordinator/store/blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/files.h"
#include "common/id.h"

namespace prefixmem::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIncoming = "incoming";

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

}  // namespace

fs::path place_of_blob(const fs::path& folder, const std::string& sha256) {
  return folder / sha256.substr(0, 2) / sha256;
}

Result<std::unique_ptr<Blobs>> Blobs::open(const fs::path& folder) {
  PM_TRY(make_folders(folder / kIncoming));
  PM_TRY(remove_leftovers(folder / kIncoming));
  return std::unique_ptr<Blobs>(new Blobs(folder));
}

Result<BlobWriter> Blobs::begin() {
  auto temporary = folder_ / kIncoming / (new_id("blob") + ".tmp");
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return tried_again(from_errno("creating " + temporary.string(), errno));
  return BlobWriter(*this, std::move(temporary), std::move(fd));
}

Result<BlobReader> Blobs::read(const std::string& sha256) const {
  const auto file = place_of_blob(folder_, sha256);
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening blob " + file.string(), errno);
  return BlobReader(std::move(fd));
}

// Under the lock, so that no writer pins it and publishes it between the look and the removal.
Result<bool> Blobs::remove(const std::string& sha256) {
  const MutexLock lock(mutex_);
  if (pinned_.contains(sha256)) return false;
  if (keepers_ == 0) return unlink_blob(sha256);
  put_off_.insert(sha256);
  return false;
}

Result<bool> Blobs::unlink_blob(const std::string& sha256) {
  const auto file = place_of_blob(folder_, sha256);
  if (::unlink(file.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return from_errno("removing blob " + file.string(), errno);
}

Result<int> Blobs::keep_only(const std::set<std::string>& digests) {
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

std::shared_ptr<const void> Blobs::pin(const std::string& sha256) {
  {
    const MutexLock lock(mutex_);
    pinned_.insert(sha256);
    put_off_.erase(sha256);
  }
  return {this, [this, sha256](const void*) { unpin(sha256); }};
}

void Blobs::unpin(const std::string& sha256) {
  const MutexLock lock(mutex_);
  pinned_.erase(pinned_.find(sha256));
}

std::shared_ptr<const void> Blobs::keep_all() {
  const MutexLock lock(mutex_);
  keepers_ += 1;
  return {this, [this](const void*) { release(); }};
}

// What cannot be removed is tried again when the store is next opened.
void Blobs::release() {
  const MutexLock lock(mutex_);
  if (--keepers_ > 0) return;
  for (const std::string& sha256 : std::exchange(put_off_, {})) {
    const auto removed = unlink_blob(sha256);
    if (!removed.ok()) spdlog::warn("{}", removed.status().message());
  }
}

// One that is there may have just been made by another thread and not be synced yet.
Status Blobs::make_subfolder(const fs::path& subfolder) {
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

BlobWriter::~BlobWriter() {
  if (fd_.valid()) ::unlink(temporary_.c_str());
}

Status BlobWriter::write(std::string_view chunk) {
  PM_TRY(tried_again(write_all(fd_.get(), chunk, temporary_.string())));
  digest_.update(chunk);
  bytes_ += static_cast<int64_t>(chunk.size());
  return {};
}

Status BlobWriter::finish(const std::string& sha256) {
  const std::string actual = digest_.finish_hex();
  if (actual != sha256) {
    return data_loss(
        fmt::format("content of {} bytes has sha256 {}, announced was {}", bytes_, actual, sha256));
  }
  pin_ = blobs_->pin(sha256);
  const auto file = place_of_blob(blobs_->folder_, sha256);
  PM_TRY(tried_again(blobs_->make_subfolder(file.parent_path())));
  PM_TRY(tried_again(publish_file(temporary_, file)));
  fd_.reset();
  return {};
}

Result<std::string> BlobReader::read(size_t most) {
  std::string bytes(most, '\0');
  ssize_t count = -1;
  do {
    count = ::read(fd_.get(), bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return from_errno("reading a blob", errno);
  bytes.resize(static_cast<size_t>(count));
  return bytes;
}

Result<int64_t> BlobReader::size() const {
  struct stat info{};
  if (fstat(fd_.get(), &info) != 0) return from_errno("examining a blob", errno);
  return int64_t{info.st_size};
}

}  // namespace prefixmem::store
