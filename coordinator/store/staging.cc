#include "coordinator/store/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

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

}  // namespace

Result<std::optional<int64_t>> size_of_file(const fs::path& file) {
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0) return std::optional<int64_t>(info.st_size);
  if (errno == ENOENT) return std::optional<int64_t>();
  return from_errno("examining " + file.string(), errno);
}

// One whose file may be gone on with holds a claim to it.
class StagedWriter final : public BlobWriter {
 public:
  StagedWriter(Staging& staging, fs::path file, Fd fd, std::shared_ptr<const void> claim)
      : staging_(staging), file_(std::move(file)), fd_(std::move(fd)), claim_(std::move(claim)) {}
  ~StagedWriter() override {
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
    pin_ = staging_.pins_.pin(sha256);
    PM_TRY(told(staging_.publish_(file_, {sha256, bytes_})));
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
    return claim_ ? staging_.check_room(0) : Status();
  }

  Staging& staging_;
  const fs::path file_;
  Fd fd_;                                    // none once it is finished or dropped
  const std::shared_ptr<const void> claim_;  // to an unfinished file that stays
  std::shared_ptr<const void> pin_;          // once it is finished
  Sha256 digest_;
  int64_t bytes_ = 0;
  int64_t written_back_ = 0;
};

Result<std::unique_ptr<Staging>> Staging::open(const fs::path& folder, Pins& pins,
                                               Publish publish) {
  PM_TRY(make_folders(folder / kIncoming));
  PM_TRY(make_folders(folder / kUnfinished));
  PM_TRY(remove_leftovers(folder / kIncoming));
  return std::unique_ptr<Staging>(new Staging(folder, pins, std::move(publish)));
}

fs::path Staging::part_of(const std::string& sha256) const {
  return folder_ / kUnfinished / (sha256 + std::string(kPart));
}

Result<std::unique_ptr<BlobWriter>> Staging::begin() {
  auto file = folder_ / kIncoming / (new_id("blob") + ".tmp");
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return tried_again(from_errno("creating " + file.string(), errno));
  return std::unique_ptr<BlobWriter>(
      std::make_unique<StagedWriter>(*this, std::move(file), std::move(fd), nullptr));
}

Result<std::unique_ptr<BlobWriter>> Staging::resume(const BlobPlan& plan) {
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
  auto writer = std::make_unique<StagedWriter>(*this, std::move(file), std::move(fd), claim);
  PM_TRY(writer->go_on_from(plan.offset));
  return std::unique_ptr<BlobWriter>(std::move(writer));
}

Result<int64_t> Staging::unfinished(const std::string& sha256) const {
  PM_ASSIGN(const auto size, size_of_file(part_of(sha256)));
  return size.value_or(0);
}

Result<int> Staging::drop_unfinished(Millis age) {
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

std::shared_ptr<const void> Staging::claim_part(const std::string& sha256) {
  {
    const MutexLock lock(mutex_);
    if (!writing_.insert(sha256).second) return nullptr;
  }
  return {this, [this, sha256](const void*) {
            const MutexLock lock(mutex_);
            writing_.erase(sha256);
          }};
}

Status Staging::check_room(int64_t bytes) const {
  PM_ASSIGN(const DiskSpace disk, disk_space(folder_));
  if (bytes <= disk.free_bytes - kReserveBytes) return {};
  return resource_exhausted(
      fmt::format("{} more bytes of content do not fit on the coordinator's disk, which has {} "
                  "bytes free and keeps {} of them for its database",
                  bytes, disk.free_bytes, kReserveBytes));
}

}  // namespace prefixmem::store
