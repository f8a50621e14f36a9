// Reading what is durable. Thread-safe; a call sees every transaction committed before it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/store/records.h"
#include "coordinator/store/sqlite.h"

namespace prefixmem::store {

// All conditions must hold; an empty one holds always.
struct JobFilter {
  std::vector<v1::JobState> states = {};
  std::string sweep_id = {};
  std::string name = {};
  std::string name_prefix = {};
  std::map<std::string, std::string> labels = {};
  int64_t before_seq = 0;  // only jobs submitted before that one; 0: all
};

struct JobPage {
  std::vector<v1::Job> jobs;  // newest first, stderr_tail left out
  int64_t next_seq = 0;       // before_seq of the next page; 0: this was the last
};

struct SweepPage {
  std::vector<v1::Sweep> sweeps;
  int64_t next_seq = 0;  // before_seq of the next page; 0: this was the last
};

class Reader {
 public:
  // As many calls at a time as there are connections; others wait.
  static Result<std::unique_ptr<Reader>> open(const std::filesystem::path& file,
                                              int connections = 1);

  Result<std::optional<v1::Job>> job(const std::string& id);
  // Ids of the jobs of that name, newest first, at most `limit`.
  Result<std::vector<std::string>> ids_named(const std::string& name, int limit);
  // At most `limit` jobs and about kPageBytes.
  Result<JobPage> list(const JobFilter& filter, int limit);
  // Likewise, of those that have not ended, without looking at those that have.
  Result<JobPage> newest_unfinished(int limit);

  // With the counts of its trials.
  Result<std::optional<v1::Sweep>> sweep(const std::string& id);
  Result<std::vector<v1::Sweep>> sweeps_named(const std::string& name);  // likewise, newest first
  // Newest first, at most `limit`, those stored before `before_seq` (0: all); with counts.
  Result<SweepPage> sweeps(int64_t before_seq, int limit);
  Result<std::vector<v1::Job>> trials(const std::string& sweep_id);  // in their order

  using Counts = std::map<v1::JobState, int64_t>;
  Result<Counts> count_by_state();
  // Of the sweeps of which a job has not ended, by id.
  Result<std::map<std::string, Counts>> count_by_sweep();

  // In order from `from_number` on, at most `limit`.
  Result<std::vector<v1::JobEvent>> events(const std::string& job_id, int64_t from_number,
                                           int limit);
  Result<std::vector<v1::JobEvent>> logs(const std::string& job_id, int64_t from_number, int limit);

  // The newest version of each path, by path.
  Result<std::vector<v1::Artifact>> artifacts(const std::string& job_id);
  Result<std::optional<v1::Artifact>> newest_version(const std::string& job_id,
                                                     const std::string& path);
  // Checkpoints, at most `limit`, the newest first in the sense of training: highest step, then
  // last uploaded.
  Result<std::vector<v1::Artifact>> newest_checkpoints(const std::string& job_id, int limit);
  Result<std::optional<v1::Artifact>> newest_checkpoint(const std::string& job_id);
  Result<std::optional<v1::Artifact>> artifact_by_digest(const std::string& job_id,
                                                         const std::string& sha256);
  // The same content at the same path from the same attempt, with the time of its first upload.
  Result<std::optional<v1::Artifact>> same_artifact(const std::string& job_id,
                                                    const v1::Artifact& artifact);

  // Size of content; none: it is not there.
  Result<std::optional<int64_t>> content_bytes(const std::string& sha256);

  Result<std::vector<v1::Model>> models();  // by name, without files
  Result<std::optional<v1::Model>> model(const std::string& name);

  // Of all artifacts of all jobs, and of all content.
  Result<std::set<std::string>> digests();

  // Ids of what ended before that time, and may go: of jobs with files, or of those that belong to
  // no sweep; and of sweeps all of whose trials are as old. What is pinned, or of a sweep that goes
  // on, is not among them, nor a sweep with a pinned trial.
  Result<std::vector<std::string>> old_jobs_with_files(WallTime before);
  Result<std::vector<std::string>> old_jobs(WallTime before);
  Result<std::vector<std::string>> old_sweeps(WallTime before);
  // Whether there is something of jobs that are gone: events, or keys of those that went before.
  Result<bool> has_leftovers(WallTime before);

  Result<std::optional<Submission>> submission(const std::string& idempotency_key);

  // What a restarted coordinator goes on with.
  Result<int64_t> last_seq();                          // that a job was ever given; 0: none was
  Result<std::vector<JobRecord>> unfinished_jobs();    // in the order submitted
  Result<std::vector<v1::Sweep>> unfinished_sweeps();  // likewise, without counts
  Result<std::vector<v1::ModelConfig>> told_models(const std::string& sweep_id);
  Result<std::optional<AttemptRecord>> attempt(const std::string& job_id, int attempt);
  Result<std::vector<v1::Worker>> workers();  // by id

  Result<std::vector<TenantRecord>> tenants();  // by name

  Result<std::vector<auth::TokenRecord>> tokens();  // the oldest first

  static constexpr size_t kPageBytes = size_t{2} << 20;

 private:
  explicit Reader(std::vector<Database> connections);

  // A connection for the length of a call, which takes no second one.
  class Lease {
   public:
    explicit Lease(Reader& reader) PM_EXCLUDES(reader.mutex_);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Database* operator->() const { return database_; }

   private:
    Reader& reader_;
    Database* database_;
  };

  Status count_trials(std::vector<v1::Sweep>& sweeps);
  template <class... Values>
  Result<std::vector<std::string>> texts(std::string_view sql, const Values&... values);
  template <class Message, class... Values>
  Result<std::vector<Message>> messages(std::string_view sql, const Values&... values);
  template <class Message, class... Values>
  Result<std::optional<Message>> one(std::string_view sql, const Values&... values);

  std::vector<Database> connections_;  // constant after construction
  Mutex mutex_;
  CondVar freed_;
  std::vector<Database*> free_ PM_GUARDED_BY(mutex_);  // the one used last at the back
};

}  // namespace prefixmem::store
