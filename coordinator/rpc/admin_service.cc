#include "coordinator/rpc/admin_service.h"

#include "coordinator/rpc/backup_source.h"
#include "coordinator/rpc/permitted.h"
#include "coordinator/rpc/reply.h"

namespace prefixmem::rpc {

grpc::ServerUnaryReactor* AdminService::CreateToken(grpc::CallbackServerContext* call,
                                                    const v1::CreateTokenRequest* request,
                                                    v1::CreateTokenResponse* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.create_token(*request); });
}

grpc::ServerUnaryReactor* AdminService::ListTokens(grpc::CallbackServerContext* call,
                                                   const v1::ListTokensRequest*,
                                                   v1::ListTokensResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListTokensResponse> {
    PM_ASSIGN(auto records, context_.coordinator.reader().tokens());
    v1::ListTokensResponse listed;
    for (auth::TokenRecord& record : records) *listed.add_tokens() = std::move(record.token);
    return listed;
  });
}

grpc::ServerUnaryReactor* AdminService::RevokeToken(grpc::CallbackServerContext* call,
                                                    const v1::RevokeTokenRequest* request,
                                                    v1::Token* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.revoke_token(request->token()); });
}

grpc::ServerWriteReactor<v1::BackUpResponse>* AdminService::BackUp(
    grpc::CallbackServerContext* call, const v1::BackUpRequest* request) {
  using Message = v1::BackUpResponse;
  const auto open = [&] { return BackupSource::begin(context_, *request); };
  const auto stream = guarded([&] { return permitted<Message>(context_, *call, open); });
  return stream.ok() ? (*stream)->begin_on(context_.files) : ended_stream<Message>(stream.status());
}

}  // namespace prefixmem::rpc
