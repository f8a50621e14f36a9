#include "coordinator/rpc/job_service.h"

#include <fmt/format.h>

#include "common/proto/job_state.h"
#include "common/proto/spec_proto.h"
#include "common/spec/spec_io.h"
#include "common/spec/utf8.h"
#include "common/version.h"
#include "coordinator/core/find_job.h"
#include "coordinator/core/sweep_results.h"
#include "coordinator/rpc/blob_source.h"
#include "coordinator/rpc/event_source.h"
#include "coordinator/rpc/list_request.h"
#include "coordinator/rpc/permitted.h"
#include "coordinator/rpc/reply.h"

namespace prefixmem::rpc {
namespace {

// Of a request that holds a spec in either spelling.
template <class Request>
Result<JobSpec> spec_of(const Request& request, const Limits& limits) {
  switch (request.source_case()) {
    case Request::kSpec:
      PM_TRY(check_spec_size(request.spec().ByteSizeLong(), limits));
      return job_spec_from_proto(request.spec());
    case Request::kYaml:
      PM_TRY(check_spec_size(request.yaml().size(), limits));
      return parse_job_spec(request.yaml());
    case Request::SOURCE_NOT_SET:
      break;
  }
  return invalid_argument("the request holds neither spec nor yaml; allowed: one of them");
}

// A stream of what `source_of` makes of the job's id. It is woken, on a thread of its own, whenever
// the job has something new.
template <class Message, class SourceOf>
grpc::ServerWriteReactor<Message>* follow(const ServiceContext& context,
                                          const grpc::CallbackServerContext& call,
                                          const std::string& id_or_name,
                                          const SourceOf& source_of) {
  std::string job_id;
  const auto open = [&]() -> Result<std::unique_ptr<Source<Message>>> {
    PM_ASSIGN(const v1::Job job, find_job(context.coordinator.reader(), id_or_name));
    job_id = job.id();
    return std::unique_ptr<Source<Message>>(source_of(job_id));
  };
  const auto made = guarded([&] { return permitted<Message>(context, call, open); });
  if (!made.ok()) return ended_stream<Message>(made.status());
  const std::shared_ptr<PullStream<Message>>& stream = made.value();
  const std::weak_ptr<PullStream<Message>> weak = stream;
  WorkQueue& wakes = context.wakes;
  stream->keep(context.coordinator.subscriptions().subscribe(job_id, [weak, &wakes] {
    if (const auto alive = weak.lock()) alive->wake_on(wakes);
  }));
  return stream->begin();
}

Result<v1::Artifact> find_artifact(store::Reader& reader,
                                   const v1::DownloadArtifactRequest& wanted) {
  PM_ASSIGN(const v1::Job job, find_job(reader, wanted.job()));
  PM_ASSIGN(auto artifact, reader.newest_version(job.id(), wanted.path()));
  if (artifact) return *std::move(artifact);
  return not_found(fmt::format("job {} has no artifact \"{}\"{}", name_of(job),
                               spec::shortened(wanted.path(), 200), removed_text(job)));
}

// What find_job gives, where the caller may change it.
Result<v1::Job> job_to_change(const ServiceContext& context,
                              const grpc::CallbackServerContext& call,
                              const std::string& id_or_name) {
  PM_ASSIGN(v1::Job job, find_job(context.coordinator.reader(), id_or_name));
  PM_TRY(may_change(call, context.tokens, "job " + job.id(), auth::tenant_of(job)));
  return job;
}

Result<v1::Sweep> sweep_to_change(const ServiceContext& context,
                                  const grpc::CallbackServerContext& call,
                                  const std::string& id_or_name) {
  PM_ASSIGN(v1::Sweep sweep, find_sweep(context.coordinator.reader(), id_or_name));
  PM_TRY(may_change(call, context.tokens, "sweep " + sweep.id(), auth::tenant_of(sweep)));
  return sweep;
}

}  // namespace

grpc::ServerUnaryReactor* JobService::SubmitJob(grpc::CallbackServerContext* call,
                                                const v1::SubmitJobRequest* request,
                                                v1::SubmitJobResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::SubmitJobResponse> {
    PM_TRY(Coordinator::check_key(request->idempotency_key()));
    PM_ASSIGN(const JobSpec spec, spec_of(*request, context_.limits.limits()));
    PM_ASSIGN(const std::string tenant, tenant_of(*call, context_.tokens));
    PM_ASSIGN(const ToldModels told, told_models(request->model_configs()));
    return context_.coordinator.submit(spec, request->idempotency_key(), tenant, told);
  });
}

grpc::ServerUnaryReactor* JobService::CheckJob(grpc::CallbackServerContext* call,
                                               const v1::CheckJobRequest* request,
                                               v1::CheckJobResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::CheckJobResponse> {
    PM_TRY(Coordinator::check_key(request->idempotency_key()));
    PM_ASSIGN(const JobSpec spec, spec_of(*request, context_.limits.limits()));
    PM_ASSIGN(const std::string tenant, tenant_of(*call, context_.tokens));
    PM_ASSIGN(const ToldModels told, told_models(request->model_configs()));
    return context_.coordinator.check_job(spec, request->idempotency_key(), tenant, told,
                                          request->memory());
  });
}

grpc::ServerUnaryReactor* JobService::GetJob(grpc::CallbackServerContext* call,
                                             const v1::GetJobRequest* request, v1::Job* response) {
  return reply(context_, call, response,
               [=, this] { return find_job(context_.coordinator.reader(), request->job()); });
}

grpc::ServerUnaryReactor* JobService::ListJobs(grpc::CallbackServerContext* call,
                                               const v1::ListJobsRequest* request,
                                               v1::ListJobsResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListJobsResponse> {
    PM_ASSIGN(const ListQuery query, query_of(*request));
    PM_ASSIGN(auto page, context_.coordinator.reader().list(query.filter, query.limit));
    v1::ListJobsResponse listed;
    for (v1::Job& job : page.jobs) *listed.add_jobs() = std::move(job);
    listed.set_next_page_token(page_token(page.next_seq));
    return listed;
  });
}

grpc::ServerUnaryReactor* JobService::CancelJob(grpc::CallbackServerContext* call,
                                                const v1::CancelJobRequest* request,
                                                v1::Job* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::Job> {
    PM_ASSIGN(const v1::Job job, job_to_change(context_, *call, request->job()));
    return context_.coordinator.cancel(job.id());
  });
}

grpc::ServerUnaryReactor* JobService::GetSweep(grpc::CallbackServerContext* call,
                                               const v1::GetSweepRequest* request,
                                               v1::Sweep* response) {
  return reply(context_, call, response,
               [=, this] { return find_sweep(context_.coordinator.reader(), request->sweep()); });
}

grpc::ServerUnaryReactor* JobService::ListSweeps(grpc::CallbackServerContext* call,
                                                 const v1::ListSweepsRequest* request,
                                                 v1::ListSweepsResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListSweepsResponse> {
    PM_ASSIGN(const PageQuery query, page_of(request->page_size(), request->page_token()));
    PM_ASSIGN(auto page, context_.coordinator.reader().sweeps(query.before_seq, query.limit));
    v1::ListSweepsResponse listed;
    for (v1::Sweep& sweep : page.sweeps) *listed.add_sweeps() = std::move(sweep);
    listed.set_next_page_token(page_token(page.next_seq));
    return listed;
  });
}

grpc::ServerUnaryReactor* JobService::CancelSweep(grpc::CallbackServerContext* call,
                                                  const v1::CancelSweepRequest* request,
                                                  v1::Sweep* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::Sweep> {
    PM_ASSIGN(const v1::Sweep sweep, sweep_to_change(context_, *call, request->sweep()));
    return context_.coordinator.cancel_sweep(sweep.id());
  });
}

grpc::ServerUnaryReactor* JobService::RemoveJob(grpc::CallbackServerContext* call,
                                                const v1::RemoveJobRequest* request,
                                                v1::Removed* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::Removed> {
    PM_ASSIGN(const v1::Job job, job_to_change(context_, *call, request->job()));
    return context_.coordinator.remove_job(job.id(), request->files_only());
  });
}

grpc::ServerUnaryReactor* JobService::RemoveSweep(grpc::CallbackServerContext* call,
                                                  const v1::RemoveSweepRequest* request,
                                                  v1::Removed* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::Removed> {
    PM_ASSIGN(const v1::Sweep sweep, sweep_to_change(context_, *call, request->sweep()));
    return context_.coordinator.remove_sweep(sweep.id(), request->files_only());
  });
}

grpc::ServerUnaryReactor* JobService::PinJob(grpc::CallbackServerContext* call,
                                             const v1::PinJobRequest* request, v1::Job* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::Job> {
    PM_ASSIGN(const v1::Job job, job_to_change(context_, *call, request->job()));
    return context_.coordinator.pin_job(job.id(), request->pinned());
  });
}

grpc::ServerUnaryReactor* JobService::GetSweepResults(grpc::CallbackServerContext* call,
                                                      const v1::GetSweepResultsRequest* request,
                                                      v1::SweepResults* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::SweepResults> {
    PM_ASSIGN(v1::Sweep sweep, find_sweep(context_.coordinator.reader(), request->sweep()));
    PM_ASSIGN(const auto jobs, context_.coordinator.reader().trials(sweep.id()));
    return results_of(std::move(sweep), jobs, request->baseline());
  });
}

grpc::ServerUnaryReactor* JobService::ListArtifacts(grpc::CallbackServerContext* call,
                                                    const v1::ListArtifactsRequest* request,
                                                    v1::ListArtifactsResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListArtifactsResponse> {
    store::Reader& reader = context_.coordinator.reader();
    PM_ASSIGN(const v1::Job job, find_job(reader, request->job()));
    PM_ASSIGN(auto artifacts, reader.artifacts(job.id()));
    v1::ListArtifactsResponse listed;
    for (v1::Artifact& artifact : artifacts) *listed.add_artifacts() = std::move(artifact);
    return listed;
  });
}

grpc::ServerUnaryReactor* JobService::ListWorkers(grpc::CallbackServerContext* call,
                                                  const v1::ListWorkersRequest*,
                                                  v1::ListWorkersResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListWorkersResponse> {
    v1::ListWorkersResponse listed;
    for (v1::Worker& worker : context_.coordinator.workers()) {
      *listed.add_workers() = std::move(worker);
    }
    return listed;
  });
}

grpc::ServerUnaryReactor* JobService::CordonWorker(grpc::CallbackServerContext* call,
                                                   const v1::CordonWorkerRequest* request,
                                                   v1::Worker* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.cordon(request->worker()); });
}

grpc::ServerUnaryReactor* JobService::DrainWorker(grpc::CallbackServerContext* call,
                                                  const v1::DrainWorkerRequest* request,
                                                  v1::Worker* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.drain(request->worker()); });
}

grpc::ServerUnaryReactor* JobService::UncordonWorker(grpc::CallbackServerContext* call,
                                                     const v1::UncordonWorkerRequest* request,
                                                     v1::Worker* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.uncordon(request->worker()); });
}

grpc::ServerUnaryReactor* JobService::ListTenants(grpc::CallbackServerContext* call,
                                                  const v1::ListTenantsRequest*,
                                                  v1::ListTenantsResponse* response) {
  return reply(context_, call, response, [=, this]() -> Result<v1::ListTenantsResponse> {
    PM_ASSIGN(auto tenants, context_.coordinator.tenants());
    v1::ListTenantsResponse listed;
    for (v1::Tenant& tenant : tenants) *listed.add_tenants() = std::move(tenant);
    return listed;
  });
}

grpc::ServerUnaryReactor* JobService::SetTenant(grpc::CallbackServerContext* call,
                                                const v1::SetTenantRequest* request,
                                                v1::Tenant* response) {
  return reply(context_, call, response,
               [=, this] { return context_.coordinator.set_tenant(*request); });
}

grpc::ServerUnaryReactor* JobService::GetVersion(grpc::CallbackServerContext* call,
                                                 const v1::GetVersionRequest*,
                                                 v1::GetVersionResponse* response) {
  return reply(context_, call, response, []() -> Result<v1::GetVersionResponse> {
    v1::GetVersionResponse running;
    running.set_version(std::string(version()));
    return running;
  });
}

grpc::ServerWriteReactor<v1::JobEvent>* JobService::WatchJob(grpc::CallbackServerContext* call,
                                                             const v1::WatchJobRequest* request) {
  if (request->from_number() < 0) {
    return ended_stream<v1::JobEvent>(invalid_argument(fmt::format(
        "from_number is {}; allowed: a whole number of at least 0", request->from_number())));
  }
  const EventPages::Options options{.from_number = std::max<int64_t>(request->from_number(), 1),
                                    .follow = !request->past_only(),
                                    .closing = &context_.closing};
  return follow<v1::JobEvent>(context_, *call, request->job(), [&](const std::string& job) {
    return std::make_unique<WatchSource>(context_.coordinator.reader(), job, options);
  });
}

grpc::ServerWriteReactor<v1::LogLine>* JobService::StreamLogs(
    grpc::CallbackServerContext* call, const v1::StreamLogsRequest* request) {
  const EventPages::Options options{.follow = request->follow(), .closing = &context_.closing};
  return follow<v1::LogLine>(context_, *call, request->job(), [&](const std::string& job) {
    return std::make_unique<LogSource>(context_.coordinator.reader(), job, options);
  });
}

grpc::ServerWriteReactor<v1::DownloadArtifactResponse>* JobService::DownloadArtifact(
    grpc::CallbackServerContext* call, const v1::DownloadArtifactRequest* request) {
  using Message = v1::DownloadArtifactResponse;
  const auto open = [&]() -> Result<std::unique_ptr<Source<Message>>> {
    PM_ASSIGN(v1::Artifact artifact, find_artifact(context_.coordinator.reader(), *request));
    PM_ASSIGN(auto blob, context_.coordinator.blobs().read(artifact.sha256()));
    Message first;
    *first.mutable_artifact() = std::move(artifact);
    return std::unique_ptr<Source<Message>>(
        std::make_unique<BlobSource<Message>>(std::move(blob), std::move(first)));
  };
  const auto stream = guarded([&] { return permitted<Message>(context_, *call, open); });
  return stream.ok() ? (*stream)->begin_on(context_.files) : ended_stream<Message>(stream.status());
}

}  // namespace prefixmem::rpc
