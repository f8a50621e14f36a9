// Counts every call by method and code.
#pragma once

#include <grpcpp/support/server_interceptor.h>
#include <grpcpp/support/status_code_enum.h>

#include <string>

#include "coordinator/metrics/metrics.h"

namespace prefixmem::rpc {

std::string code_text(grpc::StatusCode code);  // "NOT_FOUND"
// "/prefixmem.v1.JobService/GetJob" → "prefixmem.v1.JobService/GetJob"
std::string method_name(const char* path);

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
