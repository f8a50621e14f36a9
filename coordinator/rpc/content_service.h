// ContentService over gRPC.
#pragma once

#include "coordinator/rpc/context.h"
#include "prefixmem/v1/content_service.grpc.pb.h"

namespace prefixmem::rpc {

// Thread-safe.
class ContentService final : public v1::ContentService::CallbackService {
 public:
  explicit ContentService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* StatContent(grpc::CallbackServerContext* call,
                                        const v1::StatContentRequest* request,
                                        v1::StatContentResponse* response) override;
  grpc::ServerReadReactor<v1::UploadContentRequest>* UploadContent(
      grpc::CallbackServerContext* call, v1::UploadContentResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadContentResponse>* DownloadContent(
      grpc::CallbackServerContext* call, const v1::DownloadContentRequest* request) override;
  grpc::ServerUnaryReactor* AddModel(grpc::CallbackServerContext* call,
                                     const v1::AddModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* call,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* call,
                                     const v1::GetModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* RemoveModel(grpc::CallbackServerContext* call,
                                        const v1::RemoveModelRequest* request,
                                        v1::Model* response) override;

 private:
  const ServiceContext context_;
};

}  // namespace prefixmem::rpc
