#include "coordinator/auth/policy.h"

namespace prefixmem::auth {

const std::vector<MethodPolicy>& policies() {
  static const std::vector<MethodPolicy> kPolicies = {
      {"prefixmem.v1.JobService/SubmitJob", Access::kSubmitter},
      {"prefixmem.v1.JobService/CancelJob", Access::kSubmitter},
      {"prefixmem.v1.JobService/CancelSweep", Access::kSubmitter},
      {"prefixmem.v1.JobService/GetJob", Access::kViewer},
      {"prefixmem.v1.JobService/ListJobs", Access::kViewer},
      {"prefixmem.v1.JobService/WatchJob", Access::kViewer},
      {"prefixmem.v1.JobService/StreamLogs", Access::kViewer},
      {"prefixmem.v1.JobService/GetSweep", Access::kViewer},
      {"prefixmem.v1.JobService/ListSweeps", Access::kViewer},
      {"prefixmem.v1.JobService/GetSweepResults", Access::kViewer},
      {"prefixmem.v1.JobService/ListArtifacts", Access::kViewer},
      {"prefixmem.v1.JobService/DownloadArtifact", Access::kViewer},
      {"prefixmem.v1.JobService/ListWorkers", Access::kViewer},
      {"prefixmem.v1.JobService/CordonWorker", Access::kAdmin},
      {"prefixmem.v1.JobService/DrainWorker", Access::kAdmin},
      {"prefixmem.v1.JobService/UncordonWorker", Access::kAdmin},
      {"prefixmem.v1.WorkerService/Connect", Access::kWorker},
      {"prefixmem.v1.WorkerService/UploadArtifact", Access::kWorker},
      {"prefixmem.v1.WorkerService/FetchArtifact", Access::kWorker},
      {"grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Access::kViewer},
      // Says only whether the port serves, to load balancers that have no token.
      {"grpc.health.v1.Health/Check", Access::kAnyone},
      {"grpc.health.v1.Health/Watch", Access::kAnyone},
  };
  return kPolicies;
}

std::optional<MethodPolicy> policy_of(std::string_view method) {
  for (const MethodPolicy& policy : policies()) {
    if (policy.method == method) return policy;
  }
  return std::nullopt;
}

}  // namespace prefixmem::auth
