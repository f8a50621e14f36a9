#include "worker/agent/agent.h"

#include <prometheus/registry.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <thread>

#include "common/files.h"
#include "common/guarded.h"
#include "common/host_memory.h"
#include "common/http/http_server.h"
#include "common/log.h"
#include "common/persistent_id.h"
#include "common/termination.h"
#include "worker/agent/attempt/gang_folder.h"
#include "worker/agent/attempt/roster.h"
#include "worker/agent/exporter/metrics_page.h"
#include "worker/agent/exporter/worker_metrics.h"
#include "worker/agent/inputs/inputs.h"
#include "worker/agent/stream/channel.h"
#include "worker/agent/stream/connection.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

constexpr Millis kPatienceForAcknowledgement{3000};

std::string host_name() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

Result<TrainerPrograms> find_programs(const AgentOptions& options) {
  std::string trainer = options.trainer;
  if (trainer.empty()) trainer = (fs::read_symlink("/proc/self/exe").parent_path() / "pmt-trainer");
  const auto mpirun = find_program(options.mpirun);
  if (!mpirun.ok()) return mpirun.status().with_context("--mpirun");
  const auto found = find_program(trainer);
  if (!found.ok()) return found.status().with_context("--trainer");
  TrainerPrograms programs{*mpirun, *found, {}};
  // A worker that lacks them has no part in gangs over several hosts.
  const fs::path own = fs::read_symlink("/proc/self/exe").parent_path();
  if (const auto rsh = find_program(own / "pmt-rsh"); rsh.ok()) programs.rsh = *rsh;
  if (const auto orted = find_program(mpirun->parent_path() / "orted"); orted.ok()) {
    programs.orted = *orted;
  }
  return programs;
}

Status check(const AgentOptions& options) {
  if (options.work_dir.empty()) return invalid_argument("--work-dir is empty; allowed: a folder");
  const auto whole = [](const char* flag, int value, int most) {
    if (value >= 0 && value <= most) return Status();
    return invalid_argument(std::string(flag) + " is " + std::to_string(value) +
                            "; allowed: a whole number from 0 to " + std::to_string(most));
  };
  PM_TRY(whole("--slots", options.slots, 4096));
  PM_TRY(whole("--threads-per-rank", options.threads_per_rank, 4096));
  PM_TRY(whole("--metrics-retention-seconds", options.metrics_retention_seconds, 1 << 30));
  PM_TRY(tls::check(options.tls));
  if (options.metrics_tls && options.tls.cert.empty()) {
    return invalid_argument(
        "--metrics-tls is given without --tls-cert and --tls-key; allowed: with both");
  }
  PM_ASSIGN(const HostPort coordinator, parse_host_port("--coordinator", options.coordinator));
  if (coordinator.port > 0) return {};
  return invalid_argument("--coordinator is " + options.coordinator +
                          "; allowed: HOST:PORT with a port from 1 to 65535");
}

}  // namespace

// In the order in which they need each other.
struct Agent::State {
  State(const AgentOptions& given, const Clock& given_clock) : options(given), clock(given_clock) {}

  Status set_up();
  Status take_folder();
  Result<AttemptOptions> describe_host();
  Result<std::optional<JobUser>> choose_job_user(const TrainerPrograms& programs);
  Status wire(AttemptOptions attempts);
  Result<HttpServer::Answer> metrics() const;
  std::string unhealthy();
  fs::path content_folder() const {
    return options.cache.empty() ? work_dir / "content" : fs::absolute(options.cache);
  }
  void serve();

  const AgentOptions options;
  const Clock& clock;
  fs::path work_dir;
  std::optional<FileLock> lock;
  WorkerCard card;
  prometheus::Registry registry;
  std::unique_ptr<JobMetrics> job_metrics;
  std::unique_ptr<WorkerMetrics> worker_metrics;
  std::unique_ptr<Launcher> launcher;
  std::unique_ptr<Dialler> dialler;
  std::unique_ptr<ArtifactStore> store;
  std::unique_ptr<ContentSource> content;
  std::unique_ptr<ContentCache> cache;
  std::unique_ptr<Inputs> inputs;
  std::unique_ptr<Roster> roster;
  std::unique_ptr<HttpServer> metrics_server;
  std::stop_source stop;
  const Fd ended{eventfd(0, EFD_CLOEXEC)};
  std::atomic<bool> disk_is_full = false;
  std::thread stream;
  Status failure;  // of `stream`; read after its end
};

Status Agent::State::set_up() {
  PM_TRY(check(options));
  PM_TRY(take_folder());
  PM_ASSIGN(AttemptOptions attempts, describe_host());
  return wire(std::move(attempts));
}

Status Agent::State::take_folder() {
  work_dir = fs::absolute(options.work_dir);
  PM_TRY(make_folders(work_dir));
  PM_ASSIGN(lock, FileLock::acquire(work_dir / "lock"));
  PM_TRY(clean_up_after_crash(work_dir));
  PM_ASSIGN(card.id, persistent_id(work_dir / "worker_id", "worker"));
  return {};
}

Result<AttemptOptions> Agent::State::describe_host() {
  AttemptOptions attempts;
  attempts.work_dir = work_dir;
  PM_ASSIGN(attempts.programs, find_programs(options));
  attempts.programs.cache = work_dir / "cache";
  PM_ASSIGN(attempts.job_user, choose_job_user(attempts.programs));
  const HostDevices devices = find_devices();
  PM_ASSIGN(attempts.device, choose_device(options.device, devices));
  card.slots = options.slots > 0 ? options.slots : attempts.device.default_slots;
  attempts.threads_per_rank = options.threads_per_rank > 0
                                  ? options.threads_per_rank
                                  : std::max(1, devices.cores / card.slots);
  attempts.shut_down_grace = options.shut_down_grace;
  attempts.transfer_backoff.first = options.backoff.first;
  card.host = host_name();
  card.device = attempts.device.kind();
  card.device_names = attempts.device.names;
  card.memory = memory_for_jobs(options.memory_bytes, read_host_memory().total);
  card.gpu_memory = attempts.device.memory_of_rank(card.slots);
  card.allocation = options.allocation;
  return attempts;
}

Result<std::optional<JobUser>> Agent::State::choose_job_user(const TrainerPrograms& programs) {
  if (options.job_user.empty()) {
    if (geteuid() == 0) spdlog::warn("jobs run as root; --job-user names another account");
    return std::optional<JobUser>();
  }
  PM_ASSIGN(const JobUser user, find_job_user(options.job_user));
  PM_TRY(make_folders(programs.cache));
  PM_TRY(give(programs.cache, user));
  PM_TRY(make_folders(content_folder()));
  for (const fs::path& path : {work_dir, content_folder(), programs.trainer, programs.mpirun,
                               programs.rsh, programs.orted}) {
    if (!path.empty()) PM_TRY(check_reach(path, user));
  }
  return std::optional(user);
}

Status Agent::State::wire(AttemptOptions attempts) {
  PM_ASSIGN(launcher, make_launcher(attempts.job_user));
  PM_ASSIGN(dialler, Dialler::make(options.coordinator, options.tls));
  const ChannelSource channel = [this] { return dialler->current(); };
  store = make_grpc_artifact_store(channel);
  content = make_grpc_content_source(channel);
  ContentCacheOptions kept{content_folder(), options.cache_limit_bytes};
  kept.reserve_bytes = std::max(kept.reserve_bytes, 2 * options.least_free_bytes);
  PM_ASSIGN(cache, ContentCache::open(std::move(kept)));
  InputOptions sources{.backoff = attempts.transfer_backoff};
  PM_ASSIGN(sources.roots, Roots::parse(options.roots));
  PM_ASSIGN(sources.allowed, HubAllowance::parse(options.hub_allow));
  if (options.hub.empty() && !options.hub_allow.empty()) {
    return invalid_argument("--hub-allow is given without --hub; allowed: with it");
  }
  if (!options.hub.empty()) {
    PM_ASSIGN(Hub hub, hub_of_operator(options.hub));
    sources.hub = std::move(hub);
  }
  inputs = std::make_unique<Inputs>(*cache, *content, std::move(sources));
  worker_metrics = std::make_unique<WorkerMetrics>(registry, card.id, card.slots);
  job_metrics = std::make_unique<JobMetrics>(
      registry, card.id, clock, std::chrono::seconds(options.metrics_retention_seconds));
  roster = std::make_unique<Roster>(AttemptWorld{std::move(attempts), clock,
                                                 GangWorld{*launcher, read_memory, {}, card.host},
                                                 *store, *inputs, *job_metrics});
  PM_ASSIGN(const HostPort address, parse_host_port("--metrics", options.metrics));
  HttpOptions page;
  if (options.metrics_tls) page.tls = {options.tls.cert, options.tls.key, ""};
  PM_ASSIGN(metrics_server,
            HttpServer::start(
                address, {{"/metrics", [this](const HttpRequest&) { return metrics(); }}}, page));
  card.metrics_address = metrics_server->address();
  return {};
}

Result<HttpServer::Answer> Agent::State::metrics() const {
  job_metrics->drop_expired();
  worker_metrics->set_used_slots(roster->used_slots());
  worker_metrics->set_spooled_events(roster->spooled_events());
  PM_ASSIGN(const DiskSpace disk, disk_space(work_dir));
  worker_metrics->set_disk(disk);
  worker_metrics->set_certificates(tls::expiries(options.tls));
  return HttpServer::Answer(Page{metrics_page(registry), kPrometheusText});
}

// The sentence is the same from one beat to the next, however the room changes. Once there is too
// little there has to be a quarter more.
std::string Agent::State::unhealthy() {
  const auto disk = disk_space(work_dir);
  if (!disk.ok()) return "its disk does not tell how much room it has";
  const int64_t least = options.least_free_bytes;
  disk_is_full = disk->free_bytes < (disk_is_full ? least + least / 4 : least);
  if (!disk_is_full) return {};
  return "its disk has less than " + std::to_string(options.least_free_bytes >> 20) +
         " MiB free (--min-free-disk)";
}

void Agent::State::serve() {
  const ConnectionWorld world{*dialler,
                              card,
                              *roster,
                              *worker_metrics,
                              clock,
                              options.backoff,
                              [this] { return unhealthy(); }};
  failure = guarded([&] {
    keep_connected(world, stop.get_token());
    return Status();
  });
  eventfd_write(ended.get(), 1);
}

Agent::Agent(std::unique_ptr<State> state) : state_(std::move(state)) {}

Agent::~Agent() { stop(); }

Result<std::unique_ptr<Agent>> Agent::start(const AgentOptions& options, const Clock& clock) {
  auto state = std::make_unique<State>(options, clock);
  PM_TRY(guarded([&] { return state->set_up(); }));
  state->stream = std::thread([&state = *state] { state.serve(); });
  spdlog::info("worker {} with {} {} slots and {} MiB, metrics on {}, coordinator {}",
               state->card.id, state->card.slots, state->card.device, state->card.memory >> 20,
               state->card.metrics_address, options.coordinator);
  return std::unique_ptr<Agent>(new Agent(std::move(state)));
}

void Agent::stop() {
  if (!state_->stream.joinable()) return;
  state_->roster->shut_down("worker " + state_->card.id + " is shutting down");
  const Millis patience = state_->options.shut_down_grace + kPatienceForAcknowledgement;
  if (!state_->roster->wait_until_empty(real_clock().monotonic() + patience)) {
    spdlog::warn("the coordinator has not acknowledged every attempt's end");
  }
  state_->stop.request_stop();
  state_->stream.join();
  state_->metrics_server.reset();
  state_->roster.reset();
}

Status Agent::failure() const { return state_->failure; }
const std::string& Agent::worker_id() const { return state_->card.id; }
const std::string& Agent::metrics_address() const { return state_->card.metrics_address; }
int Agent::ended_fd() const { return state_->ended.get(); }

Status run_agent(const AgentOptions& options) {
  PM_TRY(set_up_log("pmt-worker", options.log_level));
  PM_ASSIGN(const Termination termination, Termination::watch());
  PM_ASSIGN(const auto agent, Agent::start(options));
  if (!options.ready_file.empty()) {
    const nlohmann::json ready = {{"metrics", agent->metrics_address()}, {"pid", getpid()}};
    PM_TRY(write_file_atomic(options.ready_file, ready.dump() + "\n"));
  }
  const bool asked = termination.wait(agent->ended_fd());
  spdlog::info("stopping{}", asked ? "" : ": the stream's loop has ended");
  agent->stop();
  return asked ? Status() : agent->failure();
}

}  // namespace prefixmem::agent
