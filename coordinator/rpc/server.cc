#include "coordinator/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "common/tls/credentials.h"
#include "coordinator/rpc/audit.h"
#include "coordinator/rpc/call_counter.h"
#include "coordinator/rpc/gate.h"
#include "grpc/health/v1/health.pb.h"

namespace prefixmem::rpc {
namespace {

constexpr int kKeepaliveMillis = 20'000;
constexpr int kKeepalivePatienceMillis = 10'000;
constexpr std::chrono::seconds kPatienceForCalls{2};

void set_limits(grpc::ServerBuilder& builder, const Limits& limits) {
  builder.SetMaxReceiveMessageSize(limits.message_mib << 20);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepalivePatienceMillis);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
}

// Links the description of the health service, which reflection then finds.
void describe_health() { grpc::health::v1::HealthCheckRequest::descriptor(); }

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerWorld& world, const Port& port) {
  const auth::TokenBook* tokens = port.asks_users ? &world.coordinator.tokens() : nullptr;
  PM_ASSIGN(const auto credentials, tls::server_credentials(port.tls));
  if (!port.tls.client_ca.empty()) {
    credentials->SetAuthMetadataProcessor(
        std::make_shared<Gate>(GateWorld{world.clock, world.metrics, world.audit, tokens}));
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  describe_health();
  std::unique_ptr<Server> server(new Server(world, tokens, port.limits));
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort(port.listen.to_string(), credentials, &bound);
  builder.RegisterService(&server->jobs_);
  builder.RegisterService(&server->workers_);
  builder.RegisterService(&server->admin_);
  builder.RegisterService(&server->content_);
  set_limits(builder, port.limits);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<CallCounterFactory>(world.metrics));
  interceptors.push_back(
      std::make_unique<AuditFactory>(AuditWorld{world.clock, world.audit, tokens}));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  server->server_ = builder.BuildAndStart();
  if (!server->server_ || bound == 0) {
    return failed_precondition("cannot listen on " + port.listen.to_string() + " for gRPC");
  }
  server->address_ = HostPort{port.listen.host, bound}.to_string();
  return server;
}

void Server::stop() {
  if (!server_ || closing_.exchange(true)) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  context_.coordinator.end_streams(unavailable("the coordinator is shutting down"));
  server_->Shutdown(std::chrono::system_clock::now() + kPatienceForCalls);
  server_->Wait();
}

}  // namespace prefixmem::rpc
