#include "client/channel/server.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>

#include "client/channel/connection.h"
#include "common/backoff.h"

namespace prefixmem::client {
namespace {

constexpr int kSubmitRetries = 3;
constexpr BackoffPolicy kSubmitBackoff{Millis(200), Millis(2000), 2, 0};

// A sweep may have thousands of trials, whose files go one after the other.
constexpr Millis kSweepRemoval = std::chrono::minutes(10);

bool is_host_and_port(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == address.npos || colon == 0) return false;
  const char* const end = address.data() + address.size();
  uint16_t port = 0;
  const auto [rest, error] = std::from_chars(address.data() + colon + 1, end, port);
  return error == std::errc() && rest == end && port > 0;
}

template <class Stub, class Request, class Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

template <class Stub, class Request, class Response>
Result<Response> call(const Connection& connection, Stub& stub,
                      Method<Stub, Request, Response> method, const Request& request,
                      Millis least = Millis(0)) {
  const Millis limit = std::max(connection.timeout, least);
  grpc::ClientContext context;
  set_deadline(context, limit);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return call_status(status, connection.address, limit);
  return response;
}

template <class Message>
Status read_stream(grpc::ClientContext& context, grpc::ClientReader<Message>& reader,
                   const Connection& connection, Millis limit,
                   const std::function<Status(const Message&)>& take) {
  Message message;
  Status taken;
  while (taken.ok() && reader.Read(&message)) taken = take(message);
  if (!taken.ok()) context.TryCancel();
  const grpc::Status end = reader.Finish();
  return taken.ok() ? call_status(end, connection.address, limit) : taken;
}

}  // namespace

Result<Server> Server::at(const std::string& address, Millis timeout,
                          const Credentials& credentials) {
  if (!is_host_and_port(address)) {
    return invalid_argument("--server is \"" + address +
                            "\"; allowed: HOST:PORT, e.g. 127.0.0.1:7070");
  }
  PM_ASSIGN(auto connection, make_connection(address, timeout, credentials));
  return Server(std::move(connection));
}

Server::Server(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

const std::string& Server::address() const { return connection_->address; }
Millis Server::timeout() const { return connection_->timeout; }

bool Server::wait_until_back(Millis limit) {
  return connection_->channel->WaitForConnected(std::chrono::system_clock::now() + limit);
}

Status Server::check_health() {
  namespace health = grpc::health::v1;
  PM_ASSIGN(const auto answer, call(*connection_, *connection_->health,
                                    &health::Health::Stub::Check, health::HealthCheckRequest()));
  if (answer.status() == health::HealthCheckResponse::SERVING) return {};
  return unavailable("the coordinator at " + address() + " takes no calls: it is shutting down");
}

Result<v1::SubmitJobResponse> Server::submit(const v1::SubmitJobRequest& request) {
  for (int retry = 0;; ++retry) {
    auto response =
        call(*connection_, *connection_->stub, &v1::JobService::Stub::SubmitJob, request);
    const bool away = response.status().code() == Code::kUnavailable;
    if (!away || retry == kSubmitRetries) return response;
    wait_until_back(backoff_delay(kSubmitBackoff, retry, 0));  // the next call tells whether it is
  }
}

Result<v1::CheckJobResponse> Server::check(const v1::CheckJobRequest& request) {
  grpc::ClientContext context;
  set_deadline(context, connection_->timeout);
  v1::CheckJobResponse response;
  const grpc::Status status = connection_->stub->CheckJob(&context, request, &response);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return v1::CheckJobResponse();
  PM_TRY(call_status(status, connection_->address, connection_->timeout));
  return response;
}

Result<v1::Job> Server::job(const std::string& id_or_name) {
  v1::GetJobRequest request;
  request.set_job(id_or_name);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::GetJob, request);
}

Result<v1::ListJobsResponse> Server::list(const v1::ListJobsRequest& request) {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::ListJobs, request);
}

Result<v1::Job> Server::cancel(const std::string& id_or_name) {
  v1::CancelJobRequest request;
  request.set_job(id_or_name);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::CancelJob, request);
}

Result<v1::Sweep> Server::sweep(const std::string& id_or_name) {
  v1::GetSweepRequest request;
  request.set_sweep(id_or_name);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::GetSweep, request);
}

Result<v1::ListSweepsResponse> Server::sweeps(const v1::ListSweepsRequest& request) {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::ListSweeps, request);
}

Result<v1::Sweep> Server::cancel_sweep(const std::string& id) {
  v1::CancelSweepRequest request;
  request.set_sweep(id);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::CancelSweep, request);
}

Result<v1::Removed> Server::remove_job(const std::string& id, bool files_only) {
  v1::RemoveJobRequest request;
  request.set_job(id);
  request.set_files_only(files_only);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::RemoveJob, request);
}

Result<v1::Removed> Server::remove_sweep(const std::string& id, bool files_only) {
  v1::RemoveSweepRequest request;
  request.set_sweep(id);
  request.set_files_only(files_only);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::RemoveSweep, request,
              kSweepRemoval);
}

Result<v1::Job> Server::pin(const std::string& id, bool pinned) {
  v1::PinJobRequest request;
  request.set_job(id);
  request.set_pinned(pinned);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::PinJob, request);
}

Result<v1::SweepResults> Server::sweep_results(const v1::GetSweepResultsRequest& request) {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::GetSweepResults, request);
}

Result<v1::ListArtifactsResponse> Server::artifacts(const std::string& id_or_name) {
  v1::ListArtifactsRequest request;
  request.set_job(id_or_name);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::ListArtifacts, request);
}

Result<v1::ListWorkersResponse> Server::workers() {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::ListWorkers,
              v1::ListWorkersRequest());
}

Result<v1::GetVersionResponse> Server::version() {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::GetVersion,
              v1::GetVersionRequest());
}

Result<v1::ListTenantsResponse> Server::tenants() {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::ListTenants,
              v1::ListTenantsRequest());
}

Result<v1::Tenant> Server::set_tenant(const v1::SetTenantRequest& request) {
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::SetTenant, request);
}

Result<v1::CreateTokenResponse> Server::create_token(const v1::CreateTokenRequest& request) {
  return call(*connection_, *connection_->admin, &v1::AdminService::Stub::CreateToken, request);
}

Result<v1::ListTokensResponse> Server::tokens() {
  return call(*connection_, *connection_->admin, &v1::AdminService::Stub::ListTokens,
              v1::ListTokensRequest());
}

Result<v1::Token> Server::revoke_token(const std::string& id) {
  v1::RevokeTokenRequest request;
  request.set_token(id);
  return call(*connection_, *connection_->admin, &v1::AdminService::Stub::RevokeToken, request);
}

Result<v1::Worker> Server::cordon(const std::string& worker_id) {
  v1::CordonWorkerRequest request;
  request.set_worker(worker_id);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::CordonWorker, request);
}

Result<v1::Worker> Server::drain(const std::string& worker_id) {
  v1::DrainWorkerRequest request;
  request.set_worker(worker_id);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::DrainWorker, request);
}

Result<v1::Worker> Server::uncordon(const std::string& worker_id) {
  v1::UncordonWorkerRequest request;
  request.set_worker(worker_id);
  return call(*connection_, *connection_->stub, &v1::JobService::Stub::UncordonWorker, request);
}

Result<v1::StatContentResponse> Server::content_states(const v1::StatContentRequest& request) {
  return call(*connection_, *connection_->content, &v1::ContentService::Stub::StatContent, request);
}

Status Server::upload_content(const v1::ContentHeader& header, Millis limit,
                              const std::function<Result<std::string>()>& next) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  v1::UploadContentResponse response;
  const auto writer = connection_->content->UploadContent(&context, &response);
  v1::UploadContentRequest request;
  *request.mutable_header() = header;
  Status read;
  for (bool open = writer->Write(request); open;) {
    Result<std::string> chunk = next();
    read = chunk.status();
    if (!read.ok() || chunk->empty()) break;
    request.set_chunk(*std::move(chunk));
    open = writer->Write(request);
  }
  if (!read.ok()) context.TryCancel();
  writer->WritesDone();
  const grpc::Status end = writer->Finish();
  return read.ok() ? call_status(end, connection_->address, limit) : read;
}

Result<v1::Model> Server::add_model(const v1::AddModelRequest& request) {
  return call(*connection_, *connection_->content, &v1::ContentService::Stub::AddModel, request);
}

Result<v1::ListModelsResponse> Server::models() {
  return call(*connection_, *connection_->content, &v1::ContentService::Stub::ListModels,
              v1::ListModelsRequest());
}

Result<v1::Model> Server::model(const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(name);
  return call(*connection_, *connection_->content, &v1::ContentService::Stub::GetModel, request);
}

Result<v1::Model> Server::remove_model(const std::string& name) {
  v1::RemoveModelRequest request;
  request.set_name(name);
  return call(*connection_, *connection_->content, &v1::ContentService::Stub::RemoveModel, request);
}

Status Server::download_content(
    const v1::DownloadContentRequest& request, Millis limit,
    const std::function<Status(const v1::DownloadContentResponse&)>& take) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  const auto reader = connection_->content->DownloadContent(&context, request);
  return read_stream(context, *reader, *connection_, limit, take);
}

Status Server::logs(const v1::StreamLogsRequest& request, Millis limit,
                    const std::function<Status(const v1::LogLine&)>& take) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  const auto reader = connection_->stub->StreamLogs(&context, request);
  return read_stream(context, *reader, *connection_, limit, take);
}

Status Server::events(const v1::WatchJobRequest& request, Millis limit,
                      const std::function<Status(const v1::JobEvent&)>& take) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  const auto reader = connection_->stub->WatchJob(&context, request);
  return read_stream(context, *reader, *connection_, limit, take);
}

Status Server::download(const v1::DownloadArtifactRequest& request, Millis limit,
                        const std::function<Status(const v1::DownloadArtifactResponse&)>& take) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  const auto reader = connection_->stub->DownloadArtifact(&context, request);
  return read_stream(context, *reader, *connection_, limit, take);
}

Status Server::back_up(const v1::BackUpRequest& request, Millis limit,
                       const std::function<Status(const v1::BackUpResponse&)>& take) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  const auto reader = connection_->admin->BackUp(&context, request);
  return read_stream(context, *reader, *connection_, limit, take);
}

}  // namespace prefixmem::client
