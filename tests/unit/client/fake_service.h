// A coordinator's JobService in this process, on a port of its own, that says what it is told to.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "prefixmem/v1/job_service.grpc.pb.h"
#include "tests/unit/client/fake_content_service.h"

namespace prefixmem::client {

// What a stream sends, and how it ends.
template <class Message>
struct Script {
  std::vector<Message> messages;
  grpc::Status end;
};

class FakeService final : public v1::JobService::Service {
 public:
  explicit FakeService(
      std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials());
  ~FakeService() override;

  const std::string& address() const { return address_; }

  // What its health service answers; true at first.
  void set_serving(bool serving);

  // Set before a command runs, read after it has ended.
  std::vector<v1::Job> jobs;  // the newest first
  std::vector<v1::Worker> workers;
  std::vector<v1::Tenant> tenants;
  std::vector<v1::Sweep> sweeps;
  std::map<std::string, v1::SweepResults> sweep_results;  // by sweep id
  std::string asked_baseline;                             // of the last results of a sweep
  size_t largest_page = 1000;
  std::map<std::string, std::vector<v1::JobEvent>> events;
  // A trial that begins once the events of this one have been sent; its sweep runs until then.
  std::map<std::string, v1::Job> begins_after;
  int late = 0;                             // calls of GetSweep until it does
  std::deque<grpc::Status> sweep_failures;  // what the next calls of GetSweep end with
  std::deque<size_t> breaks;                // the next watch streams fail after so many events each
  bool forgetful = false;                   // watch streams begin one event too early
  Script<v1::LogLine> logs;
  std::map<std::string, std::vector<v1::Artifact>> artifacts;         // by job id
  std::map<std::string, Script<v1::DownloadArtifactResponse>> files;  // by path
  std::deque<grpc::Status> submit_failures;                           // after the jobs were stored
  std::map<std::string, grpc::Status> refuse;                         // by method name

  FakeContentService content;

  // What was asked, in order.
  std::vector<v1::SubmitJobRequest> submitted;
  std::vector<v1::CheckJobRequest> checked;
  std::vector<v1::JobMemory> memory;  // that CheckJob answers
  std::vector<v1::ListJobsRequest> listed;
  std::vector<v1::WatchJobRequest> watched;
  std::vector<v1::StreamLogsRequest> logs_asked;
  std::vector<std::string> cancelled;
  std::vector<std::string> cancelled_sweeps;
  std::vector<std::string> removed;                          // "job-1", "files of sweep-1"
  std::map<std::string, v1::SubmitJobResponse> submissions;  // by idempotency key

  // Adds a file that arrives in chunks of `chunk` bytes.
  void add_file(const std::string& job, const std::string& path, const std::string& kind,
                const std::string& bytes, size_t chunk = 1000);

 private:
  grpc::Status SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                         v1::SubmitJobResponse* response) override;
  grpc::Status CheckJob(grpc::ServerContext*, const v1::CheckJobRequest* request,
                        v1::CheckJobResponse* response) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::Job* response) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                         v1::Job* response) override;
  grpc::Status GetSweep(grpc::ServerContext*, const v1::GetSweepRequest* request,
                        v1::Sweep* response) override;
  grpc::Status ListSweeps(grpc::ServerContext*, const v1::ListSweepsRequest* request,
                          v1::ListSweepsResponse* response) override;
  grpc::Status CancelSweep(grpc::ServerContext*, const v1::CancelSweepRequest* request,
                           v1::Sweep* response) override;
  // One that has succeeded goes, with one file of 1,500 bytes.
  grpc::Status RemoveJob(grpc::ServerContext*, const v1::RemoveJobRequest* request,
                         v1::Removed* response) override;
  // With two jobs and as many files of 1,500 bytes; one more of them is pinned.
  grpc::Status RemoveSweep(grpc::ServerContext*, const v1::RemoveSweepRequest* request,
                           v1::Removed* response) override;
  grpc::Status PinJob(grpc::ServerContext*, const v1::PinJobRequest* request,
                      v1::Job* response) override;
  grpc::Status GetSweepResults(grpc::ServerContext*, const v1::GetSweepResultsRequest* request,
                               v1::SweepResults* response) override;
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override;
  grpc::Status StreamLogs(grpc::ServerContext*, const v1::StreamLogsRequest* request,
                          grpc::ServerWriter<v1::LogLine>* writer) override;
  grpc::Status ListArtifacts(grpc::ServerContext*, const v1::ListArtifactsRequest* request,
                             v1::ListArtifactsResponse* response) override;
  grpc::Status DownloadArtifact(grpc::ServerContext*, const v1::DownloadArtifactRequest* request,
                                grpc::ServerWriter<v1::DownloadArtifactResponse>* writer) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* response) override;
  grpc::Status CordonWorker(grpc::ServerContext*, const v1::CordonWorkerRequest* request,
                            v1::Worker* response) override;
  grpc::Status DrainWorker(grpc::ServerContext*, const v1::DrainWorkerRequest* request,
                           v1::Worker* response) override;
  grpc::Status UncordonWorker(grpc::ServerContext*, const v1::UncordonWorkerRequest* request,
                              v1::Worker* response) override;

  grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                          v1::GetVersionResponse* response) override;
  grpc::Status ListTenants(grpc::ServerContext*, const v1::ListTenantsRequest*,
                           v1::ListTenantsResponse* response) override;
  // Adds it.
  grpc::Status SetTenant(grpc::ServerContext*, const v1::SetTenantRequest* request,
                         v1::Tenant* response) override;

  void begin_after(const std::string& job);

  std::deque<v1::Job> due_;  // that begin late
  grpc::Status change_worker(const std::string& id, const std::string& state, v1::Worker* response);
  grpc::Status refusal(const std::string& method) const;
  std::optional<v1::Job> find(const std::string& id_or_name) const;

  std::mutex mutex_;  // several streams run at once
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace prefixmem::client
