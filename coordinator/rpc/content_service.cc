#include "coordinator/rpc/content_service.h"

#include <fmt/format.h>

#include "coordinator/rpc/content_read.h"
#include "coordinator/rpc/content_upload.h"
#include "coordinator/rpc/permitted.h"
#include "coordinator/rpc/reply.h"

namespace prefixmem::rpc {
namespace {

constexpr int kMostDigests = 10000;

}  // namespace

grpc::ServerUnaryReactor* ContentService::StatContent(grpc::CallbackServerContext* call,
                                                      const v1::StatContentRequest* request,
                                                      v1::StatContentResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::StatContentResponse> {
    if (request->sha256_size() > kMostDigests) {
      return invalid_argument(fmt::format("sha256 is given {} times; allowed: at most {} times",
                                          request->sha256_size(), kMostDigests));
    }
    for (const std::string& sha256 : request->sha256()) PM_TRY(check_digest(sha256));
    return context_.coordinator.content_states(
        {request->sha256().begin(), request->sha256().end()});
  });
}

grpc::ServerReadReactor<v1::UploadContentRequest>* ContentService::UploadContent(
    grpc::CallbackServerContext* call, v1::UploadContentResponse* response) {
  return new ContentUpload(context_, *call, response);
}

grpc::ServerWriteReactor<v1::DownloadContentResponse>* ContentService::DownloadContent(
    grpc::CallbackServerContext* call, const v1::DownloadContentRequest* request) {
  using Message = v1::DownloadContentResponse;
  const auto open = [&] { return content_source<Message>(context_.coordinator, *request); };
  const auto stream = guarded([&] { return permitted<Message>(context_, *call, open); });
  return stream.ok() ? (*stream)->begin_on(context_.files) : ended_stream<Message>(stream.status());
}

grpc::ServerUnaryReactor* ContentService::AddModel(grpc::CallbackServerContext* call,
                                                   const v1::AddModelRequest* request,
                                                   v1::Model* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.add_model(*request); });
}

grpc::ServerUnaryReactor* ContentService::ListModels(grpc::CallbackServerContext* call,
                                                     const v1::ListModelsRequest*,
                                                     v1::ListModelsResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListModelsResponse> {
    PM_ASSIGN(auto models, context_.coordinator.reader().models());
    v1::ListModelsResponse listed;
    for (v1::Model& model : models) *listed.add_models() = std::move(model);
    return listed;
  });
}

grpc::ServerUnaryReactor* ContentService::GetModel(grpc::CallbackServerContext* call,
                                                   const v1::GetModelRequest* request,
                                                   v1::Model* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.model(request->name()); });
}

grpc::ServerUnaryReactor* ContentService::RemoveModel(grpc::CallbackServerContext* call,
                                                      const v1::RemoveModelRequest* request,
                                                      v1::Model* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.remove_model(request->name()); });
}

}  // namespace prefixmem::rpc
