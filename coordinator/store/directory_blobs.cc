#include "coordinator/store/directory_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/fd.h"
#include "common/files.h"
#include "common/sha256.h"

namespace prefixmem::store {
namespace {

namespace fs = std::filesystem;

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

DirectoryBlobs::DirectoryBlobs(fs::path folder)
    : folder_(std::move(folder)),
      pins_([this](const std::string& sha256) { return unlink_blob(sha256); }) {}

Result<std::unique_ptr<Blobs>> DirectoryBlobs::open(const fs::path& folder) {
  std::unique_ptr<DirectoryBlobs> blobs(new DirectoryBlobs(folder));
  PM_ASSIGN(blobs->staging_,
            Staging::open(folder, blobs->pins_,
                          [self = blobs.get()](const fs::path& file, const BlobPlan& blob) {
                            return self->publish(file, blob.sha256);
                          }));
  return std::unique_ptr<Blobs>(std::move(blobs));
}

Result<std::unique_ptr<BlobReader>> DirectoryBlobs::read(const std::string& sha256,
                                                         int64_t offset) const {
  return read_as_blob(place_of_blob(folder_, sha256), offset);
}

Result<std::optional<int64_t>> DirectoryBlobs::size(const std::string& sha256) const {
  return size_of_file(place_of_blob(folder_, sha256));
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
