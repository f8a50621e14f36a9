// WorkerService over gRPC.
#pragma once

#include "coordinator/rpc/context.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"

namespace prefixmem::rpc {

// Thread-safe.
class WorkerService final : public v1::WorkerService::CallbackService {
 public:
  explicit WorkerService(const ServiceContext& context) : context_(context) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Connect(
      grpc::CallbackServerContext* call) override;
  grpc::ServerReadReactor<v1::UploadArtifactRequest>* UploadArtifact(
      grpc::CallbackServerContext* call, v1::UploadArtifactResponse* response) override;
  grpc::ServerWriteReactor<v1::FetchArtifactResponse>* FetchArtifact(
      grpc::CallbackServerContext* call, const v1::FetchArtifactRequest* request) override;
  grpc::ServerWriteReactor<v1::FetchContentResponse>* FetchContent(
      grpc::CallbackServerContext* call, const v1::FetchContentRequest* request) override;

 private:
  const ServiceContext context_;
};

}  // namespace prefixmem::rpc
