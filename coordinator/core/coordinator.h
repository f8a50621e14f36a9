// The one object that owns the state of the service.
//
// Every call changes memory under one mutex, notes the change, and speaks of it only once it is
// durable (journal.h). The transaction is synced without that mutex: calls that come meanwhile are
// noted, and written together by the next. Decisions come from coordinator/scheduler; requests that
// only read go to the store's Reader and never wait here.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/content/folder_list.h"
#include "common/id.h"
#include "common/spec/job_spec.h"
#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/auth/token_book.h"
#include "coordinator/core/commit_turns.h"
#include "coordinator/core/journal.h"
#include "coordinator/core/live.h"
#include "coordinator/core/model_configs.h"
#include "coordinator/core/subscriptions.h"
#include "coordinator/core/worker_link.h"
#include "coordinator/metrics/metrics.h"
#include "coordinator/scheduler/conclude.h"
#include "coordinator/scheduler/demand.h"
#include "coordinator/scheduler/place.h"
#include "coordinator/store/store.h"
#include "prefixmem/v1/content_service.pb.h"

namespace prefixmem {

struct CoordinatorConfig {
  scheduler::Config scheduler;
  Millis grace{30000};         // after a start, in which no worker counts as lost
  Millis heartbeat{3000};      // what workers are told
  Millis forget{60 * 60'000};  // a worker lost for longer is no longer listed, unless cordoned
  // Content that no unfinished job or sweep and no model names stays so long after its last use.
  Millis keep_content = std::chrono::hours(7 * 24);
  // Of jobs that have ended and are not pinned, their files and they themselves; none: for ever.
  std::optional<Millis> keep_files, keep_jobs;
  bool brings_workers = false;  // a batch system does, of a size that none that is here may have
};

inline constexpr const char* kCancelledByClient = "cancelled by a client";

// Thread-safe.
class Coordinator {
 public:
  // What it stands on; all of it must outlive the coordinator.
  struct Environment {
    store::Store& store;
    const Clock& clock;
    Metrics& metrics;
    // Called once, with the reason, when the store has not taken a write: from then on every change
    // is refused as UNAVAILABLE, and the process is to end.
    std::function<void(const Status&)> on_store_failure;
    RandomBits random = secure_random_bits;  // for ids of jobs and sweeps
    // Has write() called soon, from another thread; null: calls of workers write by themselves.
    std::function<void()> hurry = {};
  };

  // Takes up what the store holds.
  static Result<std::unique_ptr<Coordinator>> start(const CoordinatorConfig& config,
                                                    Environment environment);

  // ---- for clients

  // What submit takes as a key. INVALID_ARGUMENT.
  static Status check_key(const std::string& idempotency_key);
  // Stores the job, or its sweep with the trials that begin at once, or nothing. Idempotent by a
  // non-empty key. RESOURCE_EXHAUSTED where it would take the tenant beyond a quota.
  // `told`: of models that are paths on workers.
  Result<v1::SubmitJobResponse> submit(const JobSpec& submitted, const std::string& idempotency_key,
                                       const std::string& tenant = auth::kDefaultTenant,
                                       const ToldModels& told = {});
  // What submit would say to it now; with `memory` also what its ranks need.
  Result<v1::CheckJobResponse> check_job(const JobSpec& submitted,
                                         const std::string& idempotency_key,
                                         const std::string& tenant = auth::kDefaultTenant,
                                         const ToldModels& told = {}, bool memory = false);
  // By name, with what they use.
  Result<std::vector<v1::Tenant>> tenants();
  // As it is afterwards. INVALID_ARGUMENT naming the field.
  Result<v1::Tenant> set_tenant(const v1::SetTenantRequest& request);
  // The job as it is afterwards: cancelled, or still ending. FAILED_PRECONDITION where it has
  // ended.
  Result<v1::Job> cancel(const std::string& id_or_name);
  // Begins no further trial and stops those that have not ended. NOT_FOUND; FAILED_PRECONDITION
  // where the sweep has ended.
  Result<v1::Sweep> cancel_sweep(const std::string& id_or_name);
  // What RemoveJob, RemoveSweep and PinJob promise.
  Result<v1::Removed> remove_job(const std::string& id_or_name, bool files_only);
  Result<v1::Removed> remove_sweep(const std::string& id_or_name, bool files_only);
  Result<v1::Job> pin_job(const std::string& id_or_name, bool pinned);
  std::vector<v1::Worker> workers();  // by id
  // From now on nothing more is placed on the worker, until uncordon; what runs there goes on. It
  // outlives the worker's registrations and the coordinator. NOT_FOUND.
  Result<v1::Worker> cordon(const std::string& worker_id);
  // Cordons it and asks what runs there to write a checkpoint and go on elsewhere; no retry is
  // counted.
  Result<v1::Worker> drain(const std::string& worker_id);
  Result<v1::Worker> uncordon(const std::string& worker_id);
  // What waits for workers, and what there are.
  scheduler::Demand demand();
  // From now on nothing is placed on workers of that allocation, which is about to end, nor on one
  // that is still to come. False where a gang is on one, and nothing has changed.
  bool release(const std::string& allocation);
  // `listed`: the allocations that there are; what was released and is gone is forgotten.
  void forget_released(std::set<std::string> listed);
  // What of each content is there, whole or of a broken upload. What is there stays for
  // keep_content from now on.
  Result<v1::StatContentResponse> content_states(const std::vector<std::string>& sha256);
  // Room in the tenant's quota for content of so many bytes, as long as what it gives lives.
  // RESOURCE_EXHAUSTED with what the tenant has and what is allowed.
  Result<std::shared_ptr<const void>> reserve(const std::string& tenant, int64_t bytes);
  // Counts blobs that are in the store as content, and as the tenant's where they are new; their
  // paths do not matter. Empty: as nobody's, as what jobs have made is counted with them.
  // Idempotent.
  Status add_content(const FolderList& files, const std::string& tenant = "");
  // Content gets a name, or loses it; what AddModel and RemoveModel promise.
  Result<v1::Model> add_model(const v1::AddModelRequest& request);
  Result<v1::Model> remove_model(const std::string& name);
  // With its files. NOT_FOUND.
  Result<v1::Model> model(const std::string& name);
  // Durable, and counting, when they return. INVALID_ARGUMENT naming the field.
  Result<v1::CreateTokenResponse> create_token(const v1::CreateTokenRequest& request);
  // Ends the streams of its owner too. NOT_FOUND; FAILED_PRECONDITION where it is revoked already.
  Result<v1::Token> revoke_token(const std::string& id);
  const auth::TokenBook& tokens() const { return tokens_; }
  Result<std::unique_ptr<store::Snapshot>> begin_snapshot();
  // What memory holds of it: workers, placed jobs, the queue's age.
  Overview overview();
  // Shows all that memory holds to `look`, which must not call back.
  void inspect(const std::function<void(const Live&)>& look);

  // ---- for workers

  // Takes the worker in and answers over `link`. A link it had before is closed.
  Status connect(const v1::Register& request, std::shared_ptr<WorkerLink> link);
  // A message that came over `link`; a failure ends the link. Messages of a replaced link are
  // dropped.
  Status receive(const std::string& worker_id, const WorkerLink* link,
                 const v1::WorkerMessage& message);
  // The link is gone; the worker keeps its lease.
  void disconnect(const std::string& worker_id, const WorkerLink* link);
  // Whether this attempt may upload; FAILED_PRECONDITION for any but the job's current one. What is
  // in the store already may be uploaded again.
  Status may_upload(const v1::AttemptId& id, v1::Artifact artifact);
  // Lists a blob that is in the store. As it is listed. `state_digest`: that of a checkpoint, which
  // becomes the job's with it; empty: it has none.
  Result<v1::Artifact> add_artifact(const v1::AttemptId& id, v1::Artifact artifact,
                                    const std::string& state_digest = "");

  // ---- for the clockwork

  // Commits what has come in, gives up silent workers, begins trials of sweeps, places jobs. To be
  // called at least every 100 ms: it is what bounds the time to an acknowledgement. After a pause
  // of more than half a lease (a stopped process, a moved machine) no worker counts as lost for a
  // whole lease: their messages could not be heard.
  void tick();
  // Only places jobs and commits what has come in.
  void write();
  // Closes every worker's link and wakes every subscriber; the service is about to end. Workers
  // keep their leases.
  void end_streams(const Status& why);

  // Of a store from a backup, before it serves. Meanwhile jobs may have had attempts that it knows
  // nothing of, whose gangs may still run: placed jobs go back into the queue, where no retry is
  // counted, and the attempts of all have numbers above `lap` thousand from now on, so that none is
  // taken for one of those.
  Status begin_again(const std::string& reason, int lap);

  store::Reader& reader() { return environment_.store.reader(); }
  store::Blobs& blobs() { return environment_.store.blobs(); }
  Subscriptions& subscriptions() { return subscriptions_; }

 private:
  Coordinator(const CoordinatorConfig& config, Environment environment)
      : config_(config),
        environment_(std::move(environment)),
        models_(environment_.store.reader(), environment_.store.blobs()),
        tokens_(environment_.clock) {}

  // coordinator.cc
  Status load() PM_EXCLUDES(mutex_);
  // Places jobs and returns once what was noted up to that batch is in the store and told.
  Status make_durable(int64_t batch) PM_EXCLUDES(mutex_, write_mutex_);
  // The same where nobody waits for an answer, which a thread of a port is not to do.
  Status make_durable_soon(int64_t batch) PM_EXCLUDES(mutex_, write_mutex_);
  Result<std::set<std::string>> write_notes() PM_REQUIRES(write_mutex_) PM_EXCLUDES(mutex_);
  Status commit(store::Transaction& transaction, MonotonicTime begin, size_t events)
      PM_REQUIRES(write_mutex_) PM_EXCLUDES(mutex_);
  Status note_commit(const Status& committed, MonotonicTime begin, size_t events)
      PM_EXCLUDES(mutex_);
  Status failure() PM_EXCLUDES(mutex_);
  void refuse_further(const Status& failure) PM_EXCLUDES(mutex_);
  void place_jobs() PM_REQUIRES(mutex_);
  void place_anew() PM_REQUIRES(mutex_);
  void tell_those_behind() PM_REQUIRES(mutex_);
  void notice_pause() PM_REQUIRES(mutex_);
  void give_up_silent_workers() PM_REQUIRES(mutex_);
  void forget_lost_workers() PM_REQUIRES(mutex_);
  void forget(const std::string& worker_id) PM_REQUIRES(mutex_);
  void lose(LiveWorker& worker, const std::string& reason) PM_REQUIRES(mutex_);

  // clients.cc
  using NamedInputs = std::vector<std::pair<std::string, std::string>>;  // key of a spec, its value
  // What a submission is to bring into being; `sweep`: what the jobs are the first trials of.
  struct Planned {
    JobSpec spec;        // with content in the place of models and jobs
    NamedInputs inputs;  // of it
    ToldModels told;
    std::optional<LiveSweep> sweep;
    std::vector<LiveJob> jobs;
  };
  Result<Planned> plan(const JobSpec& submitted, const std::string& tenant, const ToldModels& told);
  // Checks what it names and its tenant's quota, and puts ids in the place of jobs' names.
  Status complete(Planned& planned) PM_REQUIRES(mutex_);
  // The submission that counts: the earlier one, where its key was used before.
  Result<store::Submission> accept(Result<Planned>& planned, store::Submission submission)
      PM_REQUIRES(mutex_);
  Result<std::optional<store::Submission>> earlier_submission(const std::string& idempotency_key)
      PM_REQUIRES(mutex_);
  Result<v1::SubmitJobResponse> jobs_of(const store::Submission& submission);
  // With the sweep that the jobs are the first trials of, where there is one.
  Status insert(std::vector<LiveJob>& jobs, const store::Submission& submission,
                std::optional<LiveSweep> sweep = std::nullopt) PM_REQUIRES(mutex_);
  // A waiting job ends at once; of one that runs its worker is told, once.
  void stop_job(LiveJob& job, const std::string& reason) PM_REQUIRES(mutex_);

  // models.cc
  Result<v1::Model> named_model(const std::string& name);  // without files; NOT_FOUND

  // memory.cc
  // RESOURCE_EXHAUSTED where no worker that is known has memory for a rank of one of the jobs and
  // none is to be brought.
  Status check_memory(const std::vector<LiveJob>& jobs, const ToldModels& told) PM_REQUIRES(mutex_);

  // names.cc
  // A job keeps the content that it was submitted with, whatever the names in its spec mean later.
  // `inputs`: what it then names.
  Result<JobSpec> with_content_of_names(const JobSpec& spec, NamedInputs& inputs);
  Result<std::string> content_of_model(const std::string& text);
  Result<std::string> content_of_job(std::string_view key, const std::string& text);
  Result<v1::Artifact> checkpoint_of(const std::string& job_id);  // the newest
  Result<v1::Artifact> counted_checkpoint(const v1::Job& job);    // likewise, as content
  static std::string content_of(const v1::Artifact& file);  // its name, once it counts as such
  // Holds a job's files, which are then not removed before they count as content. NOT_FOUND.
  using Holds = std::vector<std::shared_ptr<const void>>;
  Result<Holds> hold(const v1::Job& job, const FolderList& files);

  // content.cc
  Result<v1::ContentState> content_state(const std::string& sha256);
  Status check_inputs(const NamedInputs& inputs);
  Status check_named(std::string_view key, const std::string& text);

  // retention.cc
  void sweep_content() PM_EXCLUDES(mutex_, write_mutex_);
  Status drop_unused_content() PM_REQUIRES(write_mutex_) PM_EXCLUDES(mutex_);
  Status read_used_lists() PM_EXCLUDES(mutex_);
  Result<std::set<std::string>> used_content() PM_REQUIRES(mutex_);
  Result<std::set<std::string>> used_names() PM_REQUIRES(mutex_);
  // Digests of what these names of content are of, of folders' files too.
  Result<std::set<std::string>> files_behind(const std::set<std::string>& names);

  // removal.cc
  // What goes in one transaction: jobs, or a sweep with all its trials.
  struct Removal {
    std::vector<std::string> jobs = {};  // ids
    bool files_only = false;
    std::string sweep = {};          // its id
    std::optional<Millis> age = {};  // only what is older
  };
  using Dependents = std::map<std::string, std::string>;
  Result<v1::Removed> remove(const Removal& removal) PM_EXCLUDES(mutex_, write_mutex_);
  // `news`: ids of what has changed.
  Result<v1::Removed> remove_written(const Removal& removal, std::set<std::string>& news)
      PM_REQUIRES(write_mutex_) PM_EXCLUDES(mutex_);
  Result<std::vector<std::string>> leaving_trials(const std::string& sweep_id, bool files_only,
                                                  v1::Removed& all)
      PM_EXCLUDES(mutex_, write_mutex_);
  Result<std::vector<v1::Job>> leaving_jobs(const Removal& removal);
  Status check_leaving(const v1::Job& job, const Dependents& dependents) PM_REQUIRES(mutex_);
  static Status check_old(const v1::Job& job, WallTime before);
  Dependents dependents_of_all() PM_REQUIRES(mutex_);
  Status write_pin(const std::string& id, bool pinned) PM_EXCLUDES(mutex_, write_mutex_);
  // `what`: a job or sweep.
  static void log_removed(const std::string& what, const v1::Removed& removed, bool for_age);

  // ageing.cc
  void remove_old() PM_EXCLUDES(mutex_, write_mutex_);
  std::string called(const Removal& removal);
  bool looks_for_old() PM_EXCLUDES(mutex_, write_mutex_);
  std::optional<Removal> next_old() PM_EXCLUDES(mutex_, write_mutex_);
  Result<std::deque<Removal>> find_old() PM_EXCLUDES(mutex_, write_mutex_);
  void drop_leftovers() PM_EXCLUDES(mutex_, write_mutex_);

  // tokens.cc
  Status load_tokens() PM_REQUIRES(mutex_);
  Status write_token(const auth::TokenRecord& record) PM_REQUIRES(write_mutex_);
  Result<v1::Token> mark_revoked(const std::string& id) PM_EXCLUDES(write_mutex_);

  // tenants.cc
  Status load_tenants() PM_REQUIRES(mutex_);
  Status check_quota(const std::vector<LiveJob>& jobs) PM_REQUIRES(mutex_);
  void advance_usage() PM_REQUIRES(mutex_);
  void count_slots() PM_REQUIRES(mutex_);
  void count_queued(const LiveJob& job, int change) PM_REQUIRES(mutex_);
  Result<int64_t> write_tenant(const v1::Tenant& wanted) PM_EXCLUDES(mutex_, write_mutex_);
  void save_usage() PM_REQUIRES(mutex_);
  Status count_stored() PM_REQUIRES(mutex_);

  Status fence(const v1::AttemptId& id) PM_REQUIRES(mutex_);

  // operators.cc
  // `leave`: what runs there is asked to go on elsewhere.
  Result<v1::Worker> set_cordoned(const std::string& worker_id, bool cordoned, bool leave)
      PM_EXCLUDES(mutex_);
  Result<LiveWorker*> find_worker(const std::string& worker_id) PM_REQUIRES(mutex_);
  void empty_worker(const std::string& worker_id) PM_REQUIRES(mutex_);

  // dependencies.cc
  Status name_dependencies(std::vector<LiveJob>& jobs, std::optional<LiveSweep>& sweep)
      PM_REQUIRES(mutex_);
  Result<std::string> name_dependency(const std::string& id_or_name) PM_REQUIRES(mutex_);
  Status await_dependencies(const std::vector<LiveJob*>& jobs) PM_REQUIRES(mutex_);
  Result<bool> note_ended(const std::string& id) PM_REQUIRES(mutex_);
  void settle_dependents() PM_REQUIRES(mutex_);
  void tell_dependencies(LiveJob& job) PM_REQUIRES(mutex_);
  void settle(LiveJob& dependent, const v1::Job& ended) PM_REQUIRES(mutex_);

  // sweeps.cc
  Status load_sweeps() PM_REQUIRES(mutex_);
  LiveSweep* sweep_of(const LiveJob& job) PM_REQUIRES(mutex_);
  void note_trial(const LiveJob& job) PM_REQUIRES(mutex_);
  void judge_trial(LiveJob& job, const v1::TrainerEvent& event) PM_REQUIRES(mutex_);
  void advance_sweeps() PM_REQUIRES(mutex_);
  Status name_checkpoints(std::vector<LiveJob>& begun) PM_REQUIRES(mutex_);
  void end_sweep(LiveSweep& sweep, v1::SweepState state, const std::string& reason)
      PM_REQUIRES(mutex_);
  void stop_trials(const std::string& sweep_id, const std::string& reason) PM_REQUIRES(mutex_);

  // gang_hosts.cc
  void set_hosts(v1::Job& job, const std::vector<scheduler::Seat>& seats) const PM_REQUIRES(mutex_);
  int64_t memory_of_part(const v1::Job& job, const scheduler::Seat& seat) const PM_REQUIRES(mutex_);
  void pass_on(const std::string& worker_id, const v1::GangNote& note) PM_REQUIRES(mutex_);
  void tell_member_gone(LiveJob& job, const std::string& member, const std::string& reason)
      PM_REQUIRES(mutex_);
  void release_members(const LiveJob& job) PM_REQUIRES(mutex_);
  void look_for_members(const v1::Register& request) PM_REQUIRES(mutex_);

  // attempts.cc
  void move_to(LiveJob& job, v1::JobState state, const std::string& reason) PM_REQUIRES(mutex_);
  void add_event(LiveJob& job, v1::JobEvent event) PM_REQUIRES(mutex_);
  // Time that counts against a job's limit.
  void begin_clock(LiveJob& job, MonotonicTime began) PM_REQUIRES(mutex_);
  void stop_clock(LiveJob& job) PM_REQUIRES(mutex_);
  // Something starts or ends on its workers.
  void unsettle(const LiveJob& job) PM_REQUIRES(mutex_);
  void end_overdue_jobs() PM_REQUIRES(mutex_);
  void start_gang(const scheduler::Start& start) PM_REQUIRES(mutex_);
  void count_jobs(const scheduler::Start& start) PM_REQUIRES(mutex_);
  void start_attempt(LiveJob& job, const scheduler::Start& start, const std::string& gang)
      PM_REQUIRES(mutex_);
  void send_assignment(const std::vector<LiveJob*>& gang) PM_REQUIRES(mutex_);
  Status add_to_assignment(const LiveJob& job, v1::Assign& assign) PM_REQUIRES(mutex_);
  void send_cancel(const std::string& worker_id, const v1::AttemptId& id, const Status& stop)
      PM_REQUIRES(mutex_);
  void ask_to_leave(const scheduler::Leave& leave) PM_REQUIRES(mutex_);
  // Of a placed job; `said`: why, for people.
  void stop_attempt(LiveJob& job, const Status& stop, const std::string& said) PM_REQUIRES(mutex_);
  void apply(LiveJob& job, const v1::SpooledEvent& event) PM_REQUIRES(mutex_);
  // `shared`: its gang failed as a whole.
  void end_attempt(LiveJob& job, const Status& end, const std::string& stderr_tail = "",
                   bool shared = false) PM_REQUIRES(mutex_);
  // Where it stands, as the rest of a reason.
  std::string resume_text(const LiveJob& job) PM_REQUIRES(mutex_);
  std::string kept_text(const LiveJob& job) PM_REQUIRES(mutex_);
  void end_job(LiveJob& job, const scheduler::Conclusion& conclusion,
               const std::string& stderr_tail) PM_REQUIRES(mutex_);

  // workers.cc
  void put_clocks_right(const v1::Register& request) PM_REQUIRES(mutex_);
  void take_in(const v1::Register& request, std::shared_ptr<WorkerLink> link) PM_REQUIRES(mutex_);
  // Whether it is to be written at once.
  Result<bool> take(const std::string& worker_id, const v1::WorkerMessage& message)
      PM_REQUIRES(mutex_);
  void take_up(const v1::Register& request) PM_REQUIRES(mutex_);
  scheduler::Reconciliation reconcile_with(const v1::Register& request) PM_REQUIRES(mutex_);
  void send_again(const std::vector<scheduler::AttemptKey>& lost) PM_REQUIRES(mutex_);
  void on_heartbeat(const std::string& worker_id, const v1::Heartbeat& heartbeat)
      PM_REQUIRES(mutex_);
  Status on_events(const std::string& worker_id, const v1::AttemptEvents& events)
      PM_REQUIRES(mutex_);
  void on_ended(const std::string& worker_id, const v1::AttemptEnded& ended) PM_REQUIRES(mutex_);
  std::shared_ptr<WorkerLink> link_of(const std::string& worker_id) PM_REQUIRES(mutex_);
  bool drains(const std::string& worker_id) PM_REQUIRES(mutex_);
  void note_health(LiveWorker& worker, const std::string& unhealthy) PM_REQUIRES(mutex_);

  // Constant after construction.
  const CoordinatorConfig config_;
  const Environment environment_;

  ModelConfigs models_;          // has its own lock
  Subscriptions subscriptions_;  // likewise
  auth::TokenBook tokens_;       // likewise

  CommitTurns turns_;  // taken before both that follow

  // Who holds it may write to the store; nothing is written meanwhile that it does not write. Taken
  // before the other.
  Mutex write_mutex_;
  MonotonicTime next_content_sweep_ PM_GUARDED_BY(write_mutex_){};
  MonotonicTime next_look_for_old_ PM_GUARDED_BY(write_mutex_){};
  std::deque<Removal> old_ PM_GUARDED_BY(write_mutex_);  // found, and still to go
  bool leftovers_ PM_GUARDED_BY(write_mutex_) = true;    // there may be some

  Mutex mutex_;
  Live live_ PM_GUARDED_BY(mutex_);
  Journal journal_ PM_GUARDED_BY(mutex_);
  std::set<std::string> leaving_ PM_GUARDED_BY(mutex_);   // jobs that are being removed
  std::vector<v1::Job> to_settle_ PM_GUARDED_BY(mutex_);  // ended; others wait to hear how
  MonotonicTime usage_saved_ PM_GUARDED_BY(mutex_){};
  std::map<std::string, int64_t> arriving_bytes_ PM_GUARDED_BY(mutex_);  // of content, by tenant
  bool files_moved_ PM_GUARDED_BY(mutex_) = false;  // since stored bytes were last counted
  MonotonicTime last_tick_ PM_GUARDED_BY(mutex_){};
  bool to_place_ PM_GUARDED_BY(mutex_) = true;  // something has changed since jobs were last placed
  std::optional<MonotonicTime> grows_at_ PM_GUARDED_BY(mutex_);  // when a gang could grow
  Status failure_ PM_GUARDED_BY(mutex_);                         // of the store
};

}  // namespace prefixmem
