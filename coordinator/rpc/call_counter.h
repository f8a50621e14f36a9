// Counts every call by method and code.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include "coordinator/metrics/metrics.h"

namespace prefixmem::rpc {

// `metrics` outlives the server.
class CallCounterFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallCounterFactory(Metrics& metrics) : metrics_(metrics) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  Metrics& metrics_;
};

}  // namespace prefixmem::rpc
