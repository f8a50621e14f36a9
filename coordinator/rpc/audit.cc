#include "coordinator/rpc/audit.h"

#include <grpcpp/server_context.h>

#include <map>
#include <string>
#include <string_view>

#include "common/proto/role.h"
#include "common/spec/utf8.h"
#include "common/thread_annotations.h"
#include "coordinator/auth/policy.h"
#include "coordinator/rpc/call_counter.h"
#include "coordinator/rpc/caller.h"
#include "prefixmem/v1/admin_service.pb.h"
#include "prefixmem/v1/content_service.pb.h"
#include "prefixmem/v1/job_service.pb.h"
#include "prefixmem/v1/worker_service.pb.h"

namespace prefixmem::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using Json = nlohmann::ordered_json;

constexpr size_t kLongest = 200;  // bytes of what a caller has chosen

std::string text(const std::string& chosen) { return spec::shortened(chosen, kLongest); }

// What matters of each message.
void add(const v1::SubmitJobRequest& request, Json& what) {
  what["idempotency_key"] = text(request.idempotency_key());
}
void add(const v1::SubmitJobResponse& response, Json& what) {
  if (!response.sweep_id().empty()) {
    what["sweep"] = response.sweep_id();
  } else {
    for (const v1::Job& job : response.jobs()) what["job"] = job.id();
  }
}
void add(const v1::CancelJobRequest& request, Json& what) { what["job"] = text(request.job()); }
void add(const v1::Job& job, Json& what) { what["job"] = job.id(); }
void add(const v1::CancelSweepRequest& request, Json& what) {
  what["sweep"] = text(request.sweep());
}
void add(const v1::Sweep& sweep, Json& what) { what["sweep"] = sweep.id(); }
void add(const v1::RemoveJobRequest& request, Json& what) {
  what["job"] = text(request.job());
  what["files_only"] = request.files_only();
}
void add(const v1::RemoveSweepRequest& request, Json& what) {
  what["sweep"] = text(request.sweep());
  what["files_only"] = request.files_only();
}
void add(const v1::Removed& removed, Json& what) {
  if (!removed.job_id().empty()) what["job"] = removed.job_id();
  if (!removed.sweep_id().empty()) what["sweep"] = removed.sweep_id();
  what["jobs"] = removed.jobs();
  what["files"] = removed.files();
  what["bytes"] = removed.bytes();
}
void add(const v1::PinJobRequest& request, Json& what) {
  what["job"] = text(request.job());
  what["pinned"] = request.pinned();
}
void add(const v1::CordonWorkerRequest& request, Json& what) {
  what["worker"] = text(request.worker());
}
void add(const v1::DrainWorkerRequest& request, Json& what) {
  what["worker"] = text(request.worker());
}
void add(const v1::UncordonWorkerRequest& request, Json& what) {
  what["worker"] = text(request.worker());
}
void add(const v1::Worker& worker, Json& what) { what["worker"] = worker.id(); }
void add(const v1::SetTenantRequest& request, Json& what) {
  what["tenant"] = text(request.tenant());
  what["weight"] = request.weight();
  if (request.quota().has_slots()) what["slots"] = request.quota().slots();
  if (request.quota().has_queued_jobs()) what["queued_jobs"] = request.quota().queued_jobs();
  if (request.quota().has_stored_bytes()) what["stored_bytes"] = request.quota().stored_bytes();
}
void add(const v1::Tenant& tenant, Json& what) { what["tenant"] = tenant.name(); }
void add(const v1::CreateTokenRequest& request, Json& what) {
  what["name"] = text(request.name());
  what["role"] = role_name(request.role());
  what["days"] = request.days();
  if (!request.tenant().empty()) what["tenant"] = text(request.tenant());
}
void add(const v1::CreateTokenResponse& response, Json& what) {
  what["token"] = response.token().id();
}
void add(const v1::RevokeTokenRequest& request, Json& what) {
  what["token"] = text(request.token());
}
void add(const v1::Token& token, Json& what) { what["name"] = token.name(); }
void add(const v1::BackUpRequest& request, Json& what) {
  what["known"] = request.known_sha256_size();
}
void add(const v1::BackUpResponse& response, Json& what) {
  if (response.has_end()) what["files"] = response.end().files();
}
void add(const v1::WorkerMessage& message, Json& what) {
  if (!message.has_register_()) return;
  what["worker"] = text(message.register_().worker_id());
  what["host"] = text(message.register_().host());
}
void add(const v1::CoordinatorMessage&, Json&) {}
void add(const v1::UploadArtifactRequest& request, Json& what) {
  if (!request.has_header()) return;
  what["job"] = text(request.header().id().job_id());
  what["attempt"] = request.header().id().attempt();
  what["path"] = text(request.header().artifact().path());
}
void add(const v1::UploadArtifactResponse& response, Json& what) {
  what["sha256"] = response.artifact().sha256();
}

void add(const v1::UploadContentRequest& request, Json& what) {
  if (!request.has_header()) return;
  what["sha256"] = text(request.header().sha256());
  what["bytes"] = request.header().bytes();
}
void add(const v1::UploadContentResponse&, Json&) {}
void add(const v1::AddModelRequest& request, Json& what) {
  what["model"] = text(request.name());
  what["content"] = text(request.content());
}
void add(const v1::RemoveModelRequest& request, Json& what) {
  what["model"] = text(request.name());
}
void add(const v1::Model& model, Json& what) { what["content"] = model.content(); }

using Add = void (*)(const void*, Json&);
template <class Message>
void add_as(const void* message, Json& what) {
  add(*static_cast<const Message*>(message), what);
}

struct Description {
  Add request;
  Add response;
};

const std::map<std::string_view, Description>& descriptions() {
  static const std::map<std::string_view, Description> kDescriptions = {
      {"prefixmem.v1.JobService/SubmitJob",
       {add_as<v1::SubmitJobRequest>, add_as<v1::SubmitJobResponse>}},
      {"prefixmem.v1.JobService/CancelJob", {add_as<v1::CancelJobRequest>, add_as<v1::Job>}},
      {"prefixmem.v1.JobService/CancelSweep", {add_as<v1::CancelSweepRequest>, add_as<v1::Sweep>}},
      {"prefixmem.v1.JobService/RemoveJob", {add_as<v1::RemoveJobRequest>, add_as<v1::Removed>}},
      {"prefixmem.v1.JobService/RemoveSweep",
       {add_as<v1::RemoveSweepRequest>, add_as<v1::Removed>}},
      {"prefixmem.v1.JobService/PinJob", {add_as<v1::PinJobRequest>, add_as<v1::Job>}},
      {"prefixmem.v1.JobService/CordonWorker",
       {add_as<v1::CordonWorkerRequest>, add_as<v1::Worker>}},
      {"prefixmem.v1.JobService/DrainWorker", {add_as<v1::DrainWorkerRequest>, add_as<v1::Worker>}},
      {"prefixmem.v1.JobService/UncordonWorker",
       {add_as<v1::UncordonWorkerRequest>, add_as<v1::Worker>}},
      {"prefixmem.v1.JobService/SetTenant", {add_as<v1::SetTenantRequest>, add_as<v1::Tenant>}},
      {"prefixmem.v1.AdminService/CreateToken",
       {add_as<v1::CreateTokenRequest>, add_as<v1::CreateTokenResponse>}},
      {"prefixmem.v1.AdminService/RevokeToken",
       {add_as<v1::RevokeTokenRequest>, add_as<v1::Token>}},
      {"prefixmem.v1.AdminService/BackUp", {add_as<v1::BackUpRequest>, add_as<v1::BackUpResponse>}},
      {"prefixmem.v1.WorkerService/Connect",
       {add_as<v1::WorkerMessage>, add_as<v1::CoordinatorMessage>}},
      {"prefixmem.v1.WorkerService/UploadArtifact",
       {add_as<v1::UploadArtifactRequest>, add_as<v1::UploadArtifactResponse>}},
      {"prefixmem.v1.ContentService/UploadContent",
       {add_as<v1::UploadContentRequest>, add_as<v1::UploadContentResponse>}},
      {"prefixmem.v1.ContentService/AddModel", {add_as<v1::AddModelRequest>, add_as<v1::Model>}},
      {"prefixmem.v1.ContentService/RemoveModel",
       {add_as<v1::RemoveModelRequest>, add_as<v1::Model>}},
  };
  return kDescriptions;
}

Json who_calls(const grpc::ServerContextBase& call, const auth::TokenBook* tokens) {
  Json who = Json::object();
  if (const std::string name = certificate_name(*call.auth_context()); !name.empty()) {
    who["worker"] = text(name);
  }
  if (tokens != nullptr) {
    if (const auto token = tokens->whose(bearer_of(call.client_metadata()))) {
      who["token"] = token->id();
      who["name"] = token->name();
    }
  }
  who["peer"] = call.peer();
  return who;
}

// Of one call. Reading and writing may go on at once.
class Auditor final : public grpc::experimental::Interceptor {
 public:
  Auditor(const AuditWorld& world, std::string method, const grpc::ServerContextBase& call)
      : world_(world),
        method_(std::move(method)),
        description_(descriptions().at(method_)),
        call_(call) {}

  ~Auditor() override {
    const MutexLock lock(mutex_);
    write("CANCELLED", "the caller has gone");
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    look_at(*methods);
    methods->Proceed();
  }

 private:
  void look_at(InterceptorBatchMethods& methods) {
    const MutexLock lock(mutex_);
    if (written_) return;
    if (methods.QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      who_ = who_calls(call_, world_.tokens);
    }
    if (methods.QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods.GetRecvMessage() != nullptr) {
      description_.request(methods.GetRecvMessage(), what_);
    }
    if (methods.QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE) &&
        methods.GetSendMessage() != nullptr) {
      description_.response(methods.GetSendMessage(), what_);
      answered_ = true;
    }
    if (methods.QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::Status status = methods.GetSendStatus();
      return write(code_text(status.error_code()), status.error_message());
    }
    if (answered_ && is_stream()) write("OK", "");  // taken in; it may last for months
  }

  bool is_stream() const { return method_ == "prefixmem.v1.WorkerService/Connect"; }

  void write(const std::string& code, const std::string& message) PM_REQUIRES(mutex_) {
    if (std::exchange(written_, true)) return;
    world_.log.append({world_.clock.wall(), who_, method_, what_, code, message});
  }

  const AuditWorld& world_;
  const std::string method_;
  const Description description_;
  const grpc::ServerContextBase& call_;  // until its first message

  Mutex mutex_;
  Json who_ PM_GUARDED_BY(mutex_) = Json::object();
  Json what_ PM_GUARDED_BY(mutex_) = Json::object();
  bool answered_ PM_GUARDED_BY(mutex_) = false;
  bool written_ PM_GUARDED_BY(mutex_) = false;
};

}  // namespace

bool is_described(const std::string& method) { return descriptions().contains(method); }

grpc::experimental::Interceptor* AuditFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  std::string method = method_name(info->method());
  const auto policy = auth::policy_of(method);
  if (!policy || !policy->changes) return nullptr;
  return new Auditor(world_, std::move(method), *info->server_context());
}

}  // namespace prefixmem::rpc
