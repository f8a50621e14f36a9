#include "coordinator/auth/policy.h"

#include <fmt/format.h>

#include "common/proto/role.h"

namespace prefixmem::auth {

const std::vector<MethodPolicy>& policies() {
  static const std::vector<MethodPolicy> kPolicies = {
      {"prefixmem.v1.JobService/SubmitJob", Access::kSubmitter, true},
      {"prefixmem.v1.JobService/CheckJob", Access::kSubmitter, false},
      {"prefixmem.v1.JobService/CancelJob", Access::kSubmitter, true},
      {"prefixmem.v1.JobService/CancelSweep", Access::kSubmitter, true},
      {"prefixmem.v1.JobService/RemoveJob", Access::kSubmitter, true},
      {"prefixmem.v1.JobService/RemoveSweep", Access::kSubmitter, true},
      {"prefixmem.v1.JobService/PinJob", Access::kSubmitter, true},
      {"prefixmem.v1.JobService/GetJob", Access::kViewer, false},
      {"prefixmem.v1.JobService/ListJobs", Access::kViewer, false},
      {"prefixmem.v1.JobService/WatchJob", Access::kViewer, false},
      {"prefixmem.v1.JobService/StreamLogs", Access::kViewer, false},
      {"prefixmem.v1.JobService/GetSweep", Access::kViewer, false},
      {"prefixmem.v1.JobService/ListSweeps", Access::kViewer, false},
      {"prefixmem.v1.JobService/GetSweepResults", Access::kViewer, false},
      {"prefixmem.v1.JobService/ListArtifacts", Access::kViewer, false},
      {"prefixmem.v1.JobService/DownloadArtifact", Access::kViewer, false},
      {"prefixmem.v1.JobService/ListWorkers", Access::kViewer, false},
      {"prefixmem.v1.JobService/CordonWorker", Access::kAdmin, true},
      {"prefixmem.v1.JobService/DrainWorker", Access::kAdmin, true},
      {"prefixmem.v1.JobService/UncordonWorker", Access::kAdmin, true},
      {"prefixmem.v1.JobService/ListTenants", Access::kViewer, false},
      {"prefixmem.v1.JobService/SetTenant", Access::kAdmin, true},
      {"prefixmem.v1.JobService/GetVersion", Access::kViewer, false},
      {"prefixmem.v1.WorkerService/Connect", Access::kWorker, true},
      {"prefixmem.v1.WorkerService/UploadArtifact", Access::kWorker, true},
      {"prefixmem.v1.WorkerService/FetchArtifact", Access::kWorker, false},
      {"prefixmem.v1.WorkerService/FetchContent", Access::kWorker, false},
      {"prefixmem.v1.ContentService/StatContent", Access::kViewer, false},
      {"prefixmem.v1.ContentService/UploadContent", Access::kSubmitter, true},
      {"prefixmem.v1.ContentService/DownloadContent", Access::kViewer, false},
      {"prefixmem.v1.ContentService/AddModel", Access::kSubmitter, true},
      {"prefixmem.v1.ContentService/ListModels", Access::kViewer, false},
      {"prefixmem.v1.ContentService/GetModel", Access::kViewer, false},
      {"prefixmem.v1.ContentService/RemoveModel", Access::kSubmitter, true},
      {"prefixmem.v1.AdminService/CreateToken", Access::kAdmin, true},
      {"prefixmem.v1.AdminService/ListTokens", Access::kAdmin, false},
      {"prefixmem.v1.AdminService/RevokeToken", Access::kAdmin, true},
      {"prefixmem.v1.AdminService/BackUp", Access::kAdmin, true},
      {"grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Access::kViewer, false},
      // Says only whether the port serves, to load balancers that have no token.
      {"grpc.health.v1.Health/Check", Access::kAnyone, false},
      {"grpc.health.v1.Health/Watch", Access::kAnyone, false},
  };
  return kPolicies;
}

std::optional<MethodPolicy> policy_of(std::string_view method) {
  for (const MethodPolicy& policy : policies()) {
    if (policy.method == method) return policy;
  }
  return std::nullopt;
}

bool allows(v1::Role role, Access access) {
  switch (access) {
    case Access::kAnyone:
      return true;
    case Access::kViewer:
      return role >= v1::ROLE_VIEWER;
    case Access::kSubmitter:
      return role >= v1::ROLE_SUBMITTER;
    case Access::kAdmin:
      return role == v1::ROLE_ADMIN;
    case Access::kWorker:
      return false;
  }
  return false;
}

std::string_view needed(Access access) {
  switch (access) {
    case Access::kAnyone:
      return "no role";
    case Access::kViewer:
      return "viewer, submitter or admin";
    case Access::kSubmitter:
      return "submitter or admin";
    case Access::kAdmin:
      return "admin";
    case Access::kWorker:
      return "a certificate of a worker";
  }
  return "more";
}

std::string refusal(const v1::Token& token, std::string_view what, Access access) {
  return fmt::format("token {} ({}) has the role {}; {} needs {}", token.id(), token.name(),
                     role_name(token.role()), what, needed(access));
}

}  // namespace prefixmem::auth
