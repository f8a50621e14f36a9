#include <fcntl.h>
#include <grpcpp/channel.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "common/fd.h"
#include "common/files.h"
#include "common/sha256.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"
#include "worker/agent/transfer/call.h"
#include "worker/agent/transfer/content_source.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

// A file that is written from where it ends, with the digest of all of it.
class PartialFile {
 public:
  static Result<PartialFile> open(const fs::path& path) {
    PartialFile file(path);
    file.fd_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!file.fd_.valid()) return from_errno("opening " + path.string(), errno);
    PM_TRY(update_from_file(file.digest_, path));
    struct stat info{};
    if (fstat(file.fd_.get(), &info) != 0) return from_errno("examining " + path.string(), errno);
    file.bytes_ = info.st_size;
    return file;
  }

  int64_t bytes() const { return bytes_; }
  Status append(const std::string& chunk) {
    PM_TRY(write_all(fd_.get(), chunk, path_.string()));
    digest_.update(chunk);
    bytes_ += static_cast<int64_t>(chunk.size());
    return {};
  }
  Status finish(const std::string& sha256) {
    if (digest_.finish_hex() != sha256) {
      unlink(path_.c_str());
      return data_loss("the bytes received do not have the sha256 " + sha256);
    }
    if (fsync(fd_.get()) != 0) return from_errno("syncing " + path_.string(), errno);
    return {};
  }

 private:
  explicit PartialFile(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
  Fd fd_;
  Sha256 digest_;
  int64_t bytes_ = 0;
};

class GrpcContentSource final : public ContentSource {
 public:
  explicit GrpcContentSource(ChannelSource channel) : channel_(std::move(channel)) {}

  Status fetch(const std::string& sha256, const fs::path& path, const Admit& admit,
               std::stop_token stop) override {
    PM_ASSIGN(PartialFile file, PartialFile::open(path));
    PM_TRY(
        receive(sha256, file, admit, std::move(stop)).with_context("fetching content " + sha256));
    return file.finish(sha256);
  }

 private:
  // The size is not known before the call; the channel's keepalive finds a coordinator that is
  // gone.
  static constexpr std::chrono::seconds kLimit = std::chrono::hours(24);

  Status receive(const std::string& sha256, PartialFile& file, const Admit& admit,
                 std::stop_token stop) {
    TransferCall call(kLimit, std::move(stop));
    v1::FetchContentRequest request;
    request.set_sha256(sha256);
    request.set_offset(file.bytes());
    const auto service = stub();
    const auto reader = service->FetchContent(call.context(), request);
    v1::FetchContentResponse response;
    int64_t announced = -1;
    Status taken;
    while (taken.ok() && reader->Read(&response)) {
      if (response.has_chunk()) {
        taken = file.append(response.chunk());
      } else {
        announced = response.bytes();
        taken = admit(announced);
      }
    }
    if (!taken.ok()) call.context()->TryCancel();
    const Status received = call.result(reader->Finish());
    PM_TRY(taken);
    PM_TRY(received);
    if (file.bytes() == announced) return {};
    return unavailable("it ended after " + std::to_string(file.bytes()) + " of " +
                       std::to_string(announced) + " bytes");
  }

  std::unique_ptr<v1::WorkerService::Stub> stub() const {
    return v1::WorkerService::NewStub(channel_());
  }

  const ChannelSource channel_;
};

}  // namespace

std::unique_ptr<ContentSource> make_grpc_content_source(ChannelSource channel) {
  return std::make_unique<GrpcContentSource>(std::move(channel));
}

}  // namespace prefixmem::agent
