// JobService over gRPC: checks requests, asks the coordinator or the store, maps failures.
#pragma once

#include "coordinator/rpc/context.h"
#include "prefixmem/v1/job_service.grpc.pb.h"

namespace prefixmem::rpc {

// Thread-safe.
class JobService final : public v1::JobService::CallbackService {
 public:
  explicit JobService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* call,
                                      const v1::SubmitJobRequest* request,
                                      v1::SubmitJobResponse* response) override;
  grpc::ServerUnaryReactor* CheckJob(grpc::CallbackServerContext* call,
                                     const v1::CheckJobRequest* request,
                                     v1::CheckJobResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* call,
                                   const v1::GetJobRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* call,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* call,
                                      const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* GetSweep(grpc::CallbackServerContext* call,
                                     const v1::GetSweepRequest* request,
                                     v1::Sweep* response) override;
  grpc::ServerUnaryReactor* ListSweeps(grpc::CallbackServerContext* call,
                                       const v1::ListSweepsRequest* request,
                                       v1::ListSweepsResponse* response) override;
  grpc::ServerUnaryReactor* CancelSweep(grpc::CallbackServerContext* call,
                                        const v1::CancelSweepRequest* request,
                                        v1::Sweep* response) override;
  grpc::ServerUnaryReactor* RemoveJob(grpc::CallbackServerContext* call,
                                      const v1::RemoveJobRequest* request,
                                      v1::Removed* response) override;
  grpc::ServerUnaryReactor* RemoveSweep(grpc::CallbackServerContext* call,
                                        const v1::RemoveSweepRequest* request,
                                        v1::Removed* response) override;
  grpc::ServerUnaryReactor* PinJob(grpc::CallbackServerContext* call,
                                   const v1::PinJobRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* GetSweepResults(grpc::CallbackServerContext* call,
                                            const v1::GetSweepResultsRequest* request,
                                            v1::SweepResults* response) override;
  grpc::ServerUnaryReactor* ListArtifacts(grpc::CallbackServerContext* call,
                                          const v1::ListArtifactsRequest* request,
                                          v1::ListArtifactsResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* call,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* CordonWorker(grpc::CallbackServerContext* call,
                                         const v1::CordonWorkerRequest* request,
                                         v1::Worker* response) override;
  grpc::ServerUnaryReactor* DrainWorker(grpc::CallbackServerContext* call,
                                        const v1::DrainWorkerRequest* request,
                                        v1::Worker* response) override;
  grpc::ServerUnaryReactor* UncordonWorker(grpc::CallbackServerContext* call,
                                           const v1::UncordonWorkerRequest* request,
                                           v1::Worker* response) override;
  grpc::ServerUnaryReactor* ListTenants(grpc::CallbackServerContext* call,
                                        const v1::ListTenantsRequest* request,
                                        v1::ListTenantsResponse* response) override;
  grpc::ServerUnaryReactor* SetTenant(grpc::CallbackServerContext* call,
                                      const v1::SetTenantRequest* request,
                                      v1::Tenant* response) override;
  grpc::ServerUnaryReactor* GetVersion(grpc::CallbackServerContext* call,
                                       const v1::GetVersionRequest* request,
                                       v1::GetVersionResponse* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(grpc::CallbackServerContext* call,
                                                   const v1::WatchJobRequest* request) override;
  grpc::ServerWriteReactor<v1::LogLine>* StreamLogs(grpc::CallbackServerContext* call,
                                                    const v1::StreamLogsRequest* request) override;
  grpc::ServerWriteReactor<v1::DownloadArtifactResponse>* DownloadArtifact(
      grpc::CallbackServerContext* call, const v1::DownloadArtifactRequest* request) override;

 private:
  const ServiceContext context_;
};

}  // namespace prefixmem::rpc
