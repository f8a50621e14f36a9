// The coordinator's services as functions: every call has a deadline and every failure is a
// sentence that says where it came from.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/channel/credentials.h"
#include "common/clock.h"
#include "common/status.h"
#include "prefixmem/v1/admin_service.pb.h"
#include "prefixmem/v1/content_service.pb.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem::client {

struct Connection;

// Thread-safe.
class Server {
 public:
  // Does not dial yet. INVALID_ARGUMENT where the address is no HOST:PORT, and for a token without
  // TLS; what tls::check says of the files. `timeout` is the deadline of a call that answers at
  // once.
  static Result<Server> at(const std::string& address, Millis timeout,
                           const Credentials& credentials = {});
  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;
  ~Server();

  // UNAVAILABLE where the coordinator does not answer, or answers that it takes no calls. Needs no
  // token.
  Status check_health();
  // Tried again (three times at most) while the server is away: the idempotency key, which must be
  // there, makes that safe.
  Result<v1::SubmitJobResponse> submit(const v1::SubmitJobRequest& request);
  // What submit would say. OK, and empty, also of a coordinator that does not know the call yet.
  Result<v1::CheckJobResponse> check(const v1::CheckJobRequest& request);
  Result<v1::Job> job(const std::string& id_or_name);
  Result<v1::ListJobsResponse> list(const v1::ListJobsRequest& request);
  Result<v1::Job> cancel(const std::string& id_or_name);
  Result<v1::Sweep> sweep(const std::string& id_or_name);
  Result<v1::ListSweepsResponse> sweeps(const v1::ListSweepsRequest& request);
  Result<v1::Sweep> cancel_sweep(const std::string& id);
  Result<v1::Removed> remove_job(const std::string& id, bool files_only);
  Result<v1::Removed> remove_sweep(const std::string& id, bool files_only);
  Result<v1::Job> pin(const std::string& id, bool pinned);
  Result<v1::SweepResults> sweep_results(const v1::GetSweepResultsRequest& request);
  Result<v1::ListArtifactsResponse> artifacts(const std::string& id_or_name);
  Result<v1::ListWorkersResponse> workers();
  Result<v1::Worker> cordon(const std::string& worker_id);
  Result<v1::Worker> drain(const std::string& worker_id);
  Result<v1::Worker> uncordon(const std::string& worker_id);
  // Of the coordinator. INTERNAL where it is older than the call.
  Result<v1::GetVersionResponse> version();
  Result<v1::ListTenantsResponse> tenants();
  Result<v1::Tenant> set_tenant(const v1::SetTenantRequest& request);
  Result<v1::CreateTokenResponse> create_token(const v1::CreateTokenRequest& request);
  Result<v1::ListTokensResponse> tokens();
  Result<v1::Token> revoke_token(const std::string& id);

  Result<v1::StatContentResponse> content_states(const v1::StatContentRequest& request);
  // Sends the chunks that `next` gives until it gives an empty one; its failure ends the call. OK
  // also where the coordinator had the content and did not want all of it.
  Status upload_content(const v1::ContentHeader& header, Millis limit,
                        const std::function<Result<std::string>()>& next);

  Result<v1::Model> add_model(const v1::AddModelRequest& request);
  Result<v1::ListModelsResponse> models();
  Result<v1::Model> model(const std::string& name);
  Result<v1::Model> remove_model(const std::string& name);

  // Calls `take` with each message until the stream ends; a failing `take` ends it with that
  // failure. The whole stream is given `limit`.
  Status logs(const v1::StreamLogsRequest& request, Millis limit,
              const std::function<Status(const v1::LogLine&)>& take);
  Status events(const v1::WatchJobRequest& request, Millis limit,
                const std::function<Status(const v1::JobEvent&)>& take);
  Status download_content(const v1::DownloadContentRequest& request, Millis limit,
                          const std::function<Status(const v1::DownloadContentResponse&)>& take);
  Status download(const v1::DownloadArtifactRequest& request, Millis limit,
                  const std::function<Status(const v1::DownloadArtifactResponse&)>& take);

  Status back_up(const v1::BackUpRequest& request, Millis limit,
                 const std::function<Status(const v1::BackUpResponse&)>& take);

  // False where the server is still away after `limit`.
  bool wait_until_back(Millis limit);

  const std::string& address() const;
  Millis timeout() const;
  Connection& connection() const { return *connection_; }

 private:
  explicit Server(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace prefixmem::client
