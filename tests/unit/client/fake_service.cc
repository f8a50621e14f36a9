#include "tests/unit/client/fake_service.h"

#include <algorithm>
#include <stdexcept>

#include "common/sha256.h"
#include "tests/unit/client/messages.h"

namespace prefixmem::client {
namespace {

grpc::Status away() { return {grpc::StatusCode::UNAVAILABLE, "the test broke the stream"}; }

grpc::Status no_job(const std::string& name) {
  return {grpc::StatusCode::NOT_FOUND, "no job has the id or name \"" + name + "\""};
}

grpc::Status no_sweep(const std::string& name) {
  return {grpc::StatusCode::NOT_FOUND, "no sweep has the id or name \"" + name + "\""};
}

bool matches(const v1::Job& job, const v1::ListJobsRequest& request) {
  const auto& states = request.states();
  return (request.sweep_id().empty() || request.sweep_id() == job.sweep_id()) &&
         (request.name().empty() || request.name() == job.name()) &&
         (states.empty() || std::find(states.begin(), states.end(), job.state()) != states.end());
}

v1::SubmitJobResponse first_answer(const v1::SubmitJobRequest& request) {
  v1::SubmitJobResponse response;
  const bool sweep = request.yaml().find("sweep:") != std::string::npos;
  if (sweep) response.set_sweep_id("sweep-1");
  for (int i = 1; i <= (sweep ? 2 : 1); ++i) {
    v1::Job job = make_job("job-" + std::to_string(i), "banking", v1::JOB_STATE_QUEUED);
    job.set_reason("submitted");
    job.set_sweep_id(response.sweep_id());
    *response.add_jobs() = job;
  }
  return response;
}

}  // namespace

FakeService::FakeService(std::shared_ptr<grpc::ServerCredentials> credentials) {
  int port = 0;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", std::move(credentials), &port);
  builder.RegisterService(this);
  builder.RegisterService(&content);
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("no server");
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeService::~FakeService() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void FakeService::set_serving(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void FakeService::add_file(const std::string& job, const std::string& path, const std::string& kind,
                           const std::string& bytes, size_t chunk) {
  v1::Artifact artifact;
  artifact.set_path(path);
  artifact.set_kind(kind);
  artifact.set_bytes(static_cast<int64_t>(bytes.size()));
  artifact.set_sha256(sha256_hex(bytes));
  artifact.set_step(4);
  artifacts[job].push_back(artifact);
  auto& messages = files[path].messages;
  messages.emplace_back();
  *messages.back().mutable_artifact() = artifact;
  for (size_t i = 0; i < bytes.size(); i += chunk) {
    messages.emplace_back();
    messages.back().set_chunk(bytes.substr(i, chunk));
  }
}

grpc::Status FakeService::refusal(const std::string& method) const {
  const auto found = refuse.find(method);
  return found == refuse.end() ? grpc::Status::OK : found->second;
}

std::optional<v1::Job> FakeService::find(const std::string& id_or_name) const {
  for (const v1::Job& job : jobs) {
    if (job.id() == id_or_name || job.name() == id_or_name) return job;
  }
  return std::nullopt;
}

grpc::Status FakeService::SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                                    v1::SubmitJobResponse* response) {
  const std::lock_guard lock(mutex_);
  submitted.push_back(*request);
  if (const auto status = refusal("SubmitJob"); !status.ok()) return status;
  const auto stored =
      submissions.try_emplace(request->idempotency_key(), first_answer(*request)).first;
  if (!submit_failures.empty()) {
    const grpc::Status failure = submit_failures.front();
    submit_failures.pop_front();
    return failure;
  }
  *response = stored->second;
  return grpc::Status::OK;
}

grpc::Status FakeService::CheckJob(grpc::ServerContext*, const v1::CheckJobRequest* request,
                                   v1::CheckJobResponse* response) {
  const std::lock_guard lock(mutex_);
  checked.push_back(*request);
  response->set_jobs(1);
  *response->mutable_memory() = {memory.begin(), memory.end()};
  return refusal("CheckJob");
}

grpc::Status FakeService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                 v1::Job* response) {
  const auto job = find(request->job());
  if (!job) return no_job(request->job());
  *response = *job;
  return grpc::Status::OK;
}

grpc::Status FakeService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                   v1::ListJobsResponse* response) {
  const std::lock_guard lock(mutex_);
  listed.push_back(*request);
  const size_t page = std::min<size_t>(largest_page, static_cast<size_t>(request->page_size()));
  size_t at = request->page_token().empty() ? 0 : std::stoul(request->page_token());
  for (; at < jobs.size(); ++at) {
    if (!matches(jobs[at], *request)) continue;
    if (static_cast<size_t>(response->jobs_size()) == page) {
      response->set_next_page_token(std::to_string(at));
      break;
    }
    *response->add_jobs() = jobs[at];
  }
  return grpc::Status::OK;
}

grpc::Status FakeService::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                    v1::Job* response) {
  const std::lock_guard lock(mutex_);
  auto job = find(request->job());
  if (!job) return no_job(request->job());
  if (job->state() == v1::JOB_STATE_SUCCEEDED) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "job " + job->id() + " has already ended"};
  }
  cancelled.push_back(job->id());
  job->set_reason("cancel asked for");
  *response = *std::move(job);
  return grpc::Status::OK;
}

grpc::Status FakeService::GetSweep(grpc::ServerContext*, const v1::GetSweepRequest* request,
                                   v1::Sweep* response) {
  const std::lock_guard lock(mutex_);
  if (!sweep_failures.empty()) {
    const grpc::Status failure = sweep_failures.front();
    sweep_failures.pop_front();
    if (!failure.ok()) return failure;
  }
  if (!due_.empty() && --late <= 0) {
    jobs.insert(jobs.begin(), due_.front());
    due_.pop_front();
    late = 1;
  }
  for (const v1::Sweep& sweep : sweeps) {
    if (sweep.id() != request->sweep() && sweep.name() != request->sweep()) continue;
    *response = sweep;
    const bool over = begins_after.empty() && due_.empty();
    if (!over) response->set_state(v1::SWEEP_STATE_RUNNING);
    return grpc::Status::OK;
  }
  const auto found = sweep_results.find(request->sweep());
  if (found == sweep_results.end()) return no_sweep(request->sweep());
  response->set_id(found->first);
  return grpc::Status::OK;
}

grpc::Status FakeService::ListSweeps(grpc::ServerContext*, const v1::ListSweepsRequest* request,
                                     v1::ListSweepsResponse* response) {
  for (const v1::Sweep& sweep : sweeps) {
    if (response->sweeps_size() < request->page_size()) {
      *response->add_sweeps() = sweep;
    } else {
      response->set_next_page_token("more");
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeService::CancelSweep(grpc::ServerContext*, const v1::CancelSweepRequest* request,
                                      v1::Sweep* response) {
  for (const v1::Sweep& sweep : sweeps) {
    if (sweep.id() != request->sweep()) continue;
    cancelled_sweeps.push_back(sweep.id());
    *response = sweep;
    return refusal("CancelSweep");
  }
  return no_sweep(request->sweep());
}

grpc::Status FakeService::RemoveJob(grpc::ServerContext*, const v1::RemoveJobRequest* request,
                                    v1::Removed* response) {
  const std::lock_guard lock(mutex_);
  const auto job = find(request->job());
  if (!job) return no_job(request->job());
  if (job->state() != v1::JOB_STATE_SUCCEEDED) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "job " + job->id() + " has not ended"};
  }
  removed.push_back((request->files_only() ? "files of " : "") + job->id());
  response->set_jobs(request->files_only() ? 0 : 1);
  response->set_job_id(job->id());
  response->set_files(1);
  response->set_bytes(1500);
  return grpc::Status::OK;
}

grpc::Status FakeService::RemoveSweep(grpc::ServerContext*, const v1::RemoveSweepRequest* request,
                                      v1::Removed* response) {
  const std::lock_guard lock(mutex_);
  for (const v1::Sweep& sweep : sweeps) {
    if (sweep.id() != request->sweep()) continue;
    removed.push_back((request->files_only() ? "files of " : "") + sweep.id());
    response->set_jobs(request->files_only() ? 0 : 2);
    response->set_sweep_id(sweep.id());
    response->set_files(2);
    response->set_bytes(3000);
    response->set_pinned_jobs(request->files_only() ? 1 : 0);
    return refusal("RemoveSweep");
  }
  return no_sweep(request->sweep());
}

grpc::Status FakeService::PinJob(grpc::ServerContext*, const v1::PinJobRequest* request,
                                 v1::Job* response) {
  const std::lock_guard lock(mutex_);
  for (v1::Job& job : jobs) {
    if (job.id() != request->job()) continue;
    job.set_pinned(request->pinned());
    *response = job;
    return refusal("PinJob");
  }
  return no_job(request->job());
}

grpc::Status FakeService::GetSweepResults(grpc::ServerContext*,
                                          const v1::GetSweepResultsRequest* request,
                                          v1::SweepResults* response) {
  const auto found = sweep_results.find(request->sweep());
  if (found == sweep_results.end()) {
    return no_sweep(request->sweep());
  }
  asked_baseline = request->baseline();
  *response = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeService::WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                                   grpc::ServerWriter<v1::JobEvent>* writer) {
  std::optional<size_t> left;
  {
    const std::lock_guard lock(mutex_);
    watched.push_back(*request);
    if (!breaks.empty()) {
      left = breaks.front();
      breaks.pop_front();
    }
  }
  if (const auto status = refusal("WatchJob"); !status.ok()) return status;
  const int64_t from = request->from_number() - (forgetful ? 1 : 0);
  for (const v1::JobEvent& event : events[request->job()]) {
    if (event.number() < from) continue;
    if (left && (*left)-- == 0) return away();
    // Before the last event of this job, after which a client may ask.
    if (event.number() == std::ssize(events[request->job()])) begin_after(request->job());
    writer->Write(event);
  }
  return left ? away() : grpc::Status::OK;
}

void FakeService::begin_after(const std::string& job) {
  const std::lock_guard lock(mutex_);
  auto next = begins_after.extract(job);
  if (!next) return;
  if (late > 0) {
    due_.push_back(next.mapped());
  } else {
    jobs.insert(jobs.begin(), next.mapped());
  }
}

grpc::Status FakeService::StreamLogs(grpc::ServerContext*, const v1::StreamLogsRequest* request,
                                     grpc::ServerWriter<v1::LogLine>* writer) {
  size_t left = logs.messages.size();
  bool broken = false;
  {
    const std::lock_guard lock(mutex_);
    logs_asked.push_back(*request);
    if (!breaks.empty()) {
      left = breaks.front();
      breaks.pop_front();
      broken = true;
    }
  }
  for (size_t i = 0; i < left; ++i) writer->Write(logs.messages[i]);
  return broken ? away() : logs.end;
}

grpc::Status FakeService::ListArtifacts(grpc::ServerContext*,
                                        const v1::ListArtifactsRequest* request,
                                        v1::ListArtifactsResponse* response) {
  for (const v1::Artifact& artifact : artifacts[request->job()]) {
    *response->add_artifacts() = artifact;
  }
  return grpc::Status::OK;
}

grpc::Status FakeService::DownloadArtifact(
    grpc::ServerContext*, const v1::DownloadArtifactRequest* request,
    grpc::ServerWriter<v1::DownloadArtifactResponse>* writer) {
  const auto& file = files[request->path()];
  for (const auto& message : file.messages) writer->Write(message);
  return file.end;
}

grpc::Status FakeService::ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                                      v1::ListWorkersResponse* response) {
  for (const v1::Worker& worker : workers) *response->add_workers() = worker;
  return grpc::Status::OK;
}

grpc::Status FakeService::change_worker(const std::string& id, const std::string& state,
                                        v1::Worker* response) {
  const std::lock_guard lock(mutex_);
  for (v1::Worker& worker : workers) {
    if (worker.id() != id) continue;
    worker.set_state(state);
    worker.set_cordoned(state != "connected");
    *response = worker;
    return grpc::Status::OK;
  }
  return {grpc::StatusCode::NOT_FOUND, "no worker has the id \"" + id + "\""};
}

grpc::Status FakeService::CordonWorker(grpc::ServerContext*, const v1::CordonWorkerRequest* request,
                                       v1::Worker* response) {
  return change_worker(request->worker(), "cordoned", response);
}

grpc::Status FakeService::DrainWorker(grpc::ServerContext*, const v1::DrainWorkerRequest* request,
                                      v1::Worker* response) {
  return change_worker(request->worker(), "draining", response);
}

grpc::Status FakeService::UncordonWorker(grpc::ServerContext*,
                                         const v1::UncordonWorkerRequest* request,
                                         v1::Worker* response) {
  return change_worker(request->worker(), "connected", response);
}

grpc::Status FakeService::GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                                     v1::GetVersionResponse* response) {
  response->set_version("0.0.1+fake");
  return grpc::Status::OK;
}

grpc::Status FakeService::ListTenants(grpc::ServerContext*, const v1::ListTenantsRequest*,
                                      v1::ListTenantsResponse* response) {
  for (const v1::Tenant& tenant : tenants) *response->add_tenants() = tenant;
  return grpc::Status::OK;
}

grpc::Status FakeService::SetTenant(grpc::ServerContext*, const v1::SetTenantRequest* request,
                                    v1::Tenant* response) {
  response->set_name(request->tenant());
  response->set_weight(request->weight());
  *response->mutable_quota() = request->quota();
  tenants.push_back(*response);
  return grpc::Status::OK;
}

}  // namespace prefixmem::client
