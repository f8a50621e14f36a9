#include <fcntl.h>
#include <grpcpp/channel.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "common/fd.h"
#include "common/files.h"
#include "common/sha256.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"
#include "worker/agent/transfer/artifact_store.h"
#include "worker/agent/transfer/call.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChunk = size_t{1} << 20;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// Reads a file from its beginning to its end or to `limit` in blocks of kChunk.
template <typename Take>
Status each_chunk(int fd, const fs::path& file, int64_t limit, Take&& take) {
  std::string chunk;
  for (int64_t offset = 0;; offset += static_cast<int64_t>(chunk.size())) {
    chunk.resize(std::min(kChunk, static_cast<size_t>(limit - offset)));
    const ssize_t count = pread(fd, chunk.data(), chunk.size(), offset);
    if (count < 0 && errno == EINTR) {
      chunk.clear();
      continue;
    }
    if (count < 0) return from_errno("reading " + file.string(), errno);
    if (count == 0) return {};
    chunk.resize(static_cast<size_t>(count));
    if (!take(chunk)) return {};
  }
}

v1::UploadArtifactRequest header_of(const AttemptKey& key, const Artifact& artifact) {
  v1::UploadArtifactRequest request;
  auto* header = request.mutable_header();
  header->mutable_id()->set_job_id(key.job_id);
  header->mutable_id()->set_attempt(key.attempt);
  auto* out = header->mutable_artifact();
  out->set_path(artifact.path);
  out->set_kind(artifact.kind);
  out->set_step(artifact.step);
  out->set_bytes(artifact.bytes);
  out->set_sha256(artifact.sha256);
  out->set_attempt(key.attempt);
  header->set_state_digest(artifact.state_digest);
  return request;
}

class GrpcArtifactStore final : public ArtifactStore {
 public:
  explicit GrpcArtifactStore(ChannelSource channel) : channel_(std::move(channel)) {}

  // The open descriptor keeps the bytes while the trainer prunes or replaces the file.
  Status upload(const AttemptKey& key, Artifact artifact, const fs::path& folder,
                std::stop_token stop) override {
    const fs::path file = folder / artifact.path;
    PM_ASSIGN(const Fd fd, open_beneath(folder, artifact.path));
    Sha256 digest;
    artifact.bytes = 0;
    PM_TRY(each_chunk(fd.get(), file, kNoLimit, [&](const std::string& chunk) {
      digest.update(chunk);
      artifact.bytes += static_cast<int64_t>(chunk.size());
      return true;
    }));
    artifact.sha256 = digest.finish_hex();
    return send(header_of(key, artifact), fd.get(), file, artifact.bytes, std::move(stop))
        .with_context("uploading " + artifact.path);
  }

  Status fetch(const std::string& job_id, const Artifact& artifact, const fs::path& file,
               std::stop_token stop) override {
    const fs::path temporary = file.string() + ".tmp";
    Status status = receive(job_id, artifact, temporary, std::move(stop));
    if (status.ok()) status = publish_file(temporary, file);
    if (!status.ok()) unlink(temporary.c_str());
    return status.with_context("fetching " + artifact.path);
  }

 private:
  Status send(const v1::UploadArtifactRequest& header, int fd, const fs::path& file, int64_t bytes,
              std::stop_token stop) {
    TransferCall call(transfer_limit(bytes), std::move(stop));
    v1::UploadArtifactResponse response;
    const auto service = stub();
    const auto writer = service->UploadArtifact(call.context(), &response);
    Status read;
    if (writer->Write(header)) {
      read = each_chunk(fd, file, bytes, [&](const std::string& chunk) {
        v1::UploadArtifactRequest request;
        request.set_chunk(chunk);
        return writer->Write(request);
      });
    }
    if (!read.ok()) call.context()->TryCancel();
    writer->WritesDone();
    const Status sent = call.result(writer->Finish());
    return read.ok() ? sent : read;
  }

  Status receive(const std::string& job_id, const Artifact& artifact, const fs::path& file,
                 std::stop_token stop) {
    const Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd.valid()) return from_errno("creating " + file.string(), errno);
    TransferCall call(transfer_limit(artifact.bytes), std::move(stop));
    v1::FetchArtifactRequest request;
    request.set_job_id(job_id);
    request.set_sha256(artifact.sha256);
    const auto service = stub();
    const auto reader = service->FetchArtifact(call.context(), request);
    v1::FetchArtifactResponse response;
    Sha256 digest;
    Status written;
    while (written.ok() && reader->Read(&response)) {
      digest.update(response.chunk());
      written = write_all(fd.get(), response.chunk(), file.string());
    }
    if (!written.ok()) call.context()->TryCancel();
    const Status received = call.result(reader->Finish());
    PM_TRY(written);
    PM_TRY(received);
    if (digest.finish_hex() == artifact.sha256) return {};
    return data_loss("the bytes received do not have the sha256 " + artifact.sha256);
  }

  std::unique_ptr<v1::WorkerService::Stub> stub() const {
    return v1::WorkerService::NewStub(channel_());
  }

  const ChannelSource channel_;
};

}  // namespace

std::unique_ptr<ArtifactStore> make_grpc_artifact_store(ChannelSource channel) {
  return std::make_unique<GrpcArtifactStore>(std::move(channel));
}

}  // namespace prefixmem::agent
