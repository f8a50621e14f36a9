#include "coordinator/rpc/call_counter.h"

#include <array>
#include <string>

namespace prefixmem::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// In the order of grpc::StatusCode.
constexpr std::array<const char*, 17> kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

class CallCounter final : public grpc::experimental::Interceptor {
 public:
  CallCounter(Metrics& metrics, std::string method)
      : metrics_(metrics), method_(std::move(method)) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      metrics_.rpc_ended(method_, code_text(methods->GetSendStatus().error_code()));
    }
    methods->Proceed();
  }

 private:
  Metrics& metrics_;
  const std::string method_;
};

}  // namespace

std::string code_text(grpc::StatusCode code) {
  const auto number = static_cast<size_t>(code);
  return number < kCodes.size() ? kCodes[number] : "UNKNOWN";
}

std::string method_name(const char* path) { return path[0] == '/' ? path + 1 : path; }

grpc::experimental::Interceptor* CallCounterFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  return new CallCounter(metrics_, method_name(info->method()));
}

}  // namespace prefixmem::rpc
