#include "coordinator/rpc/worker_service.h"

#include <fmt/format.h>

#include "common/spec/utf8.h"
#include "coordinator/rpc/blob_source.h"
#include "coordinator/rpc/content_read.h"
#include "coordinator/rpc/upload.h"
#include "coordinator/rpc/worker_session.h"

namespace prefixmem::rpc {
namespace {

Result<std::unique_ptr<store::BlobReader>> open(Coordinator& coordinator,
                                                const v1::FetchArtifactRequest& request) {
  PM_ASSIGN(const auto artifact,
            coordinator.reader().artifact_by_digest(request.job_id(), request.sha256()));
  if (artifact) return coordinator.blobs().read(artifact->sha256());
  return not_found(fmt::format("job {} has no artifact with sha256 {}",
                               spec::shortened(request.job_id(), 80),
                               spec::shortened(request.sha256(), 80)));
}

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* WorkerService::Connect(
    grpc::CallbackServerContext* call) {
  return WorkerSession::begin(context_.coordinator, call);
}

grpc::ServerReadReactor<v1::UploadArtifactRequest>* WorkerService::UploadArtifact(
    grpc::CallbackServerContext*, v1::UploadArtifactResponse* response) {
  return new Upload(context_, response);
}

grpc::ServerWriteReactor<v1::FetchArtifactResponse>* WorkerService::FetchArtifact(
    grpc::CallbackServerContext*, const v1::FetchArtifactRequest* request) {
  using Message = v1::FetchArtifactResponse;
  auto blob = guarded([&] { return open(context_.coordinator, *request); });
  if (!blob.ok()) return ended_stream<Message>(blob.status());
  return PullStream<Message>::make(std::make_unique<BlobSource<Message>>(std::move(blob).value()))
      ->begin_on(context_.files);
}

grpc::ServerWriteReactor<v1::FetchContentResponse>* WorkerService::FetchContent(
    grpc::CallbackServerContext*, const v1::FetchContentRequest* request) {
  using Message = v1::FetchContentResponse;
  auto source = guarded([&] { return content_source<Message>(context_.coordinator, *request); });
  if (!source.ok()) return ended_stream<Message>(source.status());
  return PullStream<Message>::make(std::move(source).value())->begin_on(context_.files);
}

}  // namespace prefixmem::rpc
