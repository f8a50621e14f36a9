#include "coordinator/service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>

#include "common/fd.h"
#include "common/files.h"
#include "common/guarded.h"
#include "common/http/http_server.h"
#include "common/log.h"
#include "common/persistent_id.h"
#include "common/termination.h"
#include "common/version.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/clockwork.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/exposure.h"
#include "coordinator/provision/provisioner.h"
#include "coordinator/provision/slurm.h"
#include "coordinator/rpc/server.h"
#include "coordinator/store/s3/s3_blobs.h"
#include "coordinator/web/routes.h"

namespace prefixmem {
namespace {

constexpr Millis kTick{50};
constexpr int kMostStreams = 64;  // of pages and files, a thread each
constexpr double kMostSeconds = 86400;
constexpr double kMostHours = 24 * 3650;
constexpr int kMostJobsOfAGang = 256;

Status check_seconds(const char* flag, double value, double least) {
  if (value >= least && value <= kMostSeconds) return {};
  return invalid_argument(
      fmt::format("{} is {}; allowed: a number from {} to {}", flag, value, least, kMostSeconds));
}

Status check_hours(std::string_view flag, double value, bool for_ever) {
  if ((value >= 1 && value <= kMostHours) || (for_ever && value == 0)) return {};
  return invalid_argument(fmt::format("{} is {}; allowed: {}a number from 1 to {}", flag, value,
                                      for_ever ? "0, which is for ever, or " : "", kMostHours));
}

Status check(const ServiceOptions& options) {
  if (options.data_dir.empty()) return invalid_argument("--data-dir is empty; allowed: a folder");
  PM_TRY(tls::check(options.tls));
  if (options.http_tls && options.tls.cert.empty()) {
    return invalid_argument(
        "--http-tls is given without --tls-cert and --tls-key; allowed: with both");
  }
  PM_TRY(rpc::check(options.limits));
  PM_TRY(check_seconds("--heartbeat-seconds", options.heartbeat_seconds, 0.1));
  PM_TRY(check_seconds("--lease-seconds", options.lease_seconds, 0.2));
  PM_TRY(check_seconds("--grace-seconds", options.grace_seconds, 0));
  PM_TRY(check_seconds("--grow-after-seconds", options.grow_after_seconds, 0));
  if (options.lease_seconds < 2 * options.heartbeat_seconds) {
    return invalid_argument(fmt::format(
        "--lease-seconds is {}; allowed: at least twice --heartbeat-seconds, which is {}",
        options.lease_seconds, options.heartbeat_seconds));
  }
  PM_TRY(check_hours("--keep-content-hours", options.keep_content_hours, false));
  PM_TRY(check_hours("--keep-files-hours", options.keep_files_hours, true));
  PM_TRY(check_hours("--keep-jobs-hours", options.keep_jobs_hours, true));
  if (options.max_retries < 0) {
    return invalid_argument(
        fmt::format("--max-retries is {}; allowed: at least 0", options.max_retries));
  }
  if (options.bank_limit >= 1 && options.bank_limit <= kMostJobsOfAGang) return {};
  return invalid_argument(fmt::format("--bank-limit is {}; allowed: a number from 1 to {}",
                                      options.bank_limit, kMostJobsOfAGang));
}

// Says in the log who may come in unasked: others than this host's users only where that was
// wanted.
Status check_exposure(const ServiceOptions& options) {
  PM_ASSIGN(const auto sentences, exposures(options));
  if (sentences.empty() && options.auth == "none") {
    spdlog::warn(
        "--auth is none: every user of this host may do anything here; no other host is served");
  }
  if (sentences.empty()) return {};
  if (!options.insecure) return invalid_argument(sentences.front());
  for (const std::string& sentence : sentences) spdlog::warn("--insecure: {}", sentence);
  return {};
}

Result<store::OpenBlobs> opener(const store::s3::Flags& flags) {
  if (flags.blobs.empty()) {
    if (flags.endpoint.empty() && flags.region.empty()) {
      return store::OpenBlobs(store::DirectoryBlobs::open);
    }
    return invalid_argument(fmt::format("{} is given without --blobs; allowed: with it",
                                        flags.endpoint.empty() ? "--s3-region" : "--s3-endpoint"));
  }
  PM_ASSIGN(auto bucket, store::s3::read_options(flags));
  return store::OpenBlobs([bucket = std::move(bucket)](const std::filesystem::path& folder) {
    return store::s3::S3Blobs::open(bucket, folder);
  });
}

Millis millis(double seconds) { return Millis(static_cast<int64_t>(seconds * 1000)); }

CoordinatorConfig config_of(const ServiceOptions& options) {
  CoordinatorConfig config;
  config.scheduler.lease = millis(options.lease_seconds);
  config.scheduler.max_retries = options.max_retries;
  config.scheduler.bank_limit = options.bank_limit;
  config.scheduler.grow_after = millis(options.grow_after_seconds);
  config.heartbeat = millis(options.heartbeat_seconds);
  config.grace = millis(options.grace_seconds);
  config.keep_content = millis(options.keep_content_hours * 3600);
  if (options.keep_files_hours > 0) config.keep_files = millis(options.keep_files_hours * 3600);
  if (options.keep_jobs_hours > 0) config.keep_jobs = millis(options.keep_jobs_hours * 3600);
  config.brings_workers = !options.provisioner.empty();
  return config;
}

}  // namespace

// In the order in which they need each other.
struct Service::State {
  Status set_up(const ServiceOptions& options, const Clock& clock);
  Status start_provisioner(const provision::Config& config, const std::filesystem::path& data_dir,
                           const Clock& clock);
  void fail(const Status& why);
  // What ends the service where it throws.
  std::function<void()> guarding(std::function<void()> work);

  const Fd failed{eventfd(0, EFD_CLOEXEC)};
  std::once_flag once;
  Status failure;  // readable once `failed` is

  std::atomic<bool> closing = false;  // told to streams of pages
  Metrics metrics;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<Clockwork> clockwork;
  std::unique_ptr<AuditLog> audit;
  std::unique_ptr<rpc::Server> grpc;
  std::unique_ptr<web::Door> door;
  std::unique_ptr<HttpServer> http;
  std::stop_source leaving;  // told to what the provisioner waits for
  std::unique_ptr<provision::Provisioner> provisioner;
  std::unique_ptr<Clockwork> rounds;  // of the provisioner
};

Status Service::State::set_up(const ServiceOptions& options, const Clock& clock) {
  PM_TRY(check(options));
  PM_TRY(check_exposure(options));
  std::optional<provision::Config> provision;
  if (!options.provisioner.empty()) {
    PM_ASSIGN(provision, provision::read_config(options.provisioner));
  }
  PM_ASSIGN(const HostPort listen, parse_host_port("--listen", options.listen));
  PM_ASSIGN(const HostPort http_listen, parse_host_port("--http", options.http));
  PM_ASSIGN(const store::OpenBlobs open_blobs, opener(options.s3));
  PM_ASSIGN(store, store::Store::open(options.data_dir, open_blobs));
  PM_ASSIGN(coordinator,
            Coordinator::start(config_of(options),
                               {.store = *store,
                                .clock = clock,
                                .metrics = metrics,
                                .on_store_failure = [this](const Status& why) { fail(why); },
                                .hurry = [this] { clockwork->hurry(); }}));
  clockwork = std::make_unique<Clockwork>(kTick, guarding([this] { coordinator->tick(); }),
                                          guarding([this] { coordinator->write(); }));
  PM_ASSIGN(audit, AuditLog::open(options.data_dir / "audit.jsonl",
                                  [this](const Status& why) { fail(why); }));
  const bool tokens = options.auth == "tokens";
  PM_ASSIGN(grpc, rpc::Server::start({*coordinator, clock, metrics, *audit},
                                     {listen, options.tls, tokens, options.limits}));
  door = std::make_unique<web::Door>(clock, tokens ? &coordinator->tokens() : nullptr, *audit,
                                     options.http_tls);
  auto routes = web::routes({.coordinator = *coordinator,
                             .metrics = metrics,
                             .data_dir = options.data_dir,
                             .closing = closing,
                             .door = *door,
                             .tls = options.tls});
  HttpOptions pages{.most_streams = kMostStreams};
  if (options.http_tls) pages.tls = {options.tls.cert, options.tls.key, ""};
  PM_ASSIGN(http, HttpServer::start(http_listen, std::move(routes), pages));
  return provision ? start_provisioner(*provision, options.data_dir, clock) : Status();
}

// Its jobs in the batch system bear a name that no other store's have.
Status Service::State::start_provisioner(const provision::Config& config,
                                         const std::filesystem::path& data_dir,
                                         const Clock& clock) {
  PM_ASSIGN(std::string name, persistent_id(data_dir / "provisioner_id", "pmt-worker"));
  spdlog::info("workers are brought by Slurm, in jobs named {}", name);
  provisioner = std::make_unique<provision::Provisioner>(
      config, provision::make_slurm(config, std::move(name), leaving.get_token()),
      provision::Provisioner::World{*coordinator, metrics, clock});
  rounds =
      std::make_unique<Clockwork>(config.poll, guarding([this] { provisioner->round(); }), [] {});
  return {};
}

std::function<void()> Service::State::guarding(std::function<void()> work) {
  return [this, work = std::move(work)] {
    const Status done = guarded([&] {
      work();
      return Status();
    });
    if (!done.ok()) fail(done);
  };
}

void Service::State::fail(const Status& why) {
  std::call_once(once, [&] {
    failure = why;
    eventfd_write(failed.get(), 1);
  });
}

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}

Service::~Service() { stop(); }

Result<std::unique_ptr<Service>> Service::start(const ServiceOptions& options, const Clock& clock) {
  auto state = std::make_unique<State>();
  PM_TRY(guarded([&] { return state->set_up(options, clock); }));
  std::unique_ptr<Service> service(new Service(std::move(state)));
  spdlog::info("version {}: gRPC{}{} on {}, page and metrics on http{}://{}/, store in {}",
               version(), options.tls.any() ? " with TLS" : "",
               options.auth == "tokens" ? " and tokens" : "", service->grpc_address(),
               options.http_tls ? "s" : "", service->http_address(), options.data_dir.string());
  if (!options.s3.blobs.empty()) {
    spdlog::info("files in {}", service->state_->store->blobs().place());
  }
  return service;
}

void Service::stop() {
  state_->leaving.request_stop();
  state_->rounds.reset();
  state_->closing = true;
  state_->coordinator->subscriptions().notify_all();
  state_->store->blobs().stop_waiting();
  state_->http.reset();
  if (state_->grpc) state_->grpc->stop();
  state_->clockwork.reset();
}

const std::string& Service::grpc_address() const { return state_->grpc->address(); }
const std::string& Service::http_address() const { return state_->http->address(); }
int Service::failed_fd() const { return state_->failed.get(); }
Status Service::failure() const { return state_->failure; }

Status run_service(const ServiceOptions& options) {
  PM_TRY(set_up_log("pmt-coordinator", options.log_level));
  PM_ASSIGN(const Termination termination, Termination::watch());
  PM_ASSIGN(const auto service, Service::start(options));
  if (!options.ready_file.empty()) {
    const nlohmann::json ready = {
        {"grpc", service->grpc_address()}, {"http", service->http_address()}, {"pid", getpid()}};
    PM_TRY(write_file_atomic(options.ready_file, ready.dump() + "\n"));
  }
  const bool asked = termination.wait(service->failed_fd());
  spdlog::info("stopping{}", asked ? "" : ": " + service->failure().message());
  service->stop();
  return asked ? Status() : service->failure();
}

}  // namespace prefixmem
