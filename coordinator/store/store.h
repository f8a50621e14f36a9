// Everything the coordinator must not forget: SQLite in WAL mode with synchronous=FULL, beside it
// the blobs (blobs.h).
//
// One process owns a data folder. Writing goes through Transaction, reading through Reader, each
// over a connection of its own, so a reader never waits for a commit.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "common/files.h"
#include "common/status.h"
#include "coordinator/store/blobs.h"
#include "coordinator/store/directory_blobs.h"
#include "coordinator/store/reader.h"
#include "coordinator/store/records.h"
#include "coordinator/store/snapshot.h"
#include "coordinator/store/sqlite.h"

namespace prefixmem::store {

// Opens blobs whose folder, or what a bucket needs of one, is the given one.
using OpenBlobs = std::function<Result<std::unique_ptr<Blobs>>(const std::filesystem::path&)>;

class Store {
 public:
  // Opens or creates the store in `folder` (created where missing) and removes the blobs that
  // neither an artifact nor content names: uploads that were never listed, removals that a crash
  // cut off. FAILED_PRECONDITION where another process has it open, a restore was cut off or not
  // one file that it names is where the blobs are; INVALID_ARGUMENT where its schema is newer;
  // DATA_LOSS where the database is damaged, with how to restore a backup.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& folder,
                                             const OpenBlobs& open_blobs = DirectoryBlobs::open);
  // The same of whoever only changes the database: its blobs are neither looked at nor removed.
  static Result<std::unique_ptr<Store>> open_database(const std::filesystem::path& folder);

  // Thread-safe.
  Reader& reader() { return *reader_; }
  Blobs& blobs() { return *blobs_; }
  // As of now; thread-safe.
  Result<std::unique_ptr<Snapshot>> begin_snapshot();

  // A file in the folder that is there from the first change of a restore to its last.
  static constexpr const char* kRestoring = "restoring";

 private:
  friend class Transaction;
  Store(std::filesystem::path folder, FileLock lock, Database writer)
      : folder_(std::move(folder)), lock_(std::move(lock)), writer_(std::move(writer)) {}

  static Result<std::unique_ptr<Store>> open_unswept(const std::filesystem::path& folder,
                                                     const OpenBlobs& open_blobs);
  // That somebody has not just named another place.
  Status check_place(const std::set<std::string>& named) const;
  Status remove_orphans();

  const std::filesystem::path folder_;
  FileLock lock_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Blobs> blobs_;

  // One transaction at a time, which is also what makes removing blobs safe; the owner of the store
  // sees to that.
  Database writer_;
  Status failure_;  // of the first write that failed; from then on every write is refused with it
};

// All or nothing. The first failure is kept and returned by commit; whatever follows it does
// nothing. Destroyed without commit, it leaves no trace.
//
// After a failed write nobody knows what the disk holds, so the store takes no further one: the
// process is to end and start again from what is durable.
class Transaction {
 public:
  explicit Transaction(Store& store);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void insert_job(JobRecord& record);  // sets record.seq where it is 0
  void update_job(const JobRecord& record);
  // Of a job that has ended, of which only what is shown changes.
  void update_ended_job(const v1::Job& job);
  void put_attempt(const AttemptRecord& record);
  void add_event(const v1::JobEvent& event);
  // A new version of its path, unless the same content is there already from the same attempt.
  void add_artifact(const std::string& job_id, const v1::Artifact& artifact);
  // Drops the job's older checkpoints, all but `count`, by step, then version; or the older
  // versions of a path, by attempt, step, then version: one that comes late again, when a newer one
  // has taken its place, does not take the newer one's; or best adapters of other steps, all or
  // those that came before that step's. A blob that nothing names afterwards is removed after the
  // commit.
  void keep_newest_checkpoints(const std::string& job_id, int count);
  void keep_newest_version(const std::string& job_id, const std::string& path);
  void drop_best_adapters_before(const std::string& job_id, int64_t step);
  void keep_best_adapter(const std::string& job_id, int64_t step);
  // All files of a job, whose blobs go likewise; what they were.
  Dropped drop_files(const std::string& job_id);
  // The job and whatever is kept under its id, its files too, but for what the next two drop.
  Dropped drop_job(const std::string& job_id, WallTime now);
  // So many events of jobs that are gone; whether there may be more.
  bool drop_events_of_removed(int most);
  // Submissions' keys of jobs that went before that time.
  void drop_keys_of_removed(WallTime before);
  // Of a blob that is there; again it is used again.
  void add_content(const ContentRecord& record);
  // Where it is there.
  void use_content(const std::string& sha256, WallTime now);
  // What was last used before that; how many. Blobs go as those of artifacts do.
  int drop_content(WallTime before);
  void insert_model(const v1::Model& model);
  void drop_model(const std::string& name);
  void insert_sweep(const v1::Sweep& sweep);
  void add_told_model(const std::string& sweep_id, const v1::ModelConfig& model);
  void drop_told_models(const std::string& sweep_id);
  void update_sweep(const v1::Sweep& sweep);
  // Without its trials.
  void drop_sweep(const std::string& sweep_id);
  void add_submission(const Submission& submission);
  void put_worker(const v1::Worker& worker);
  void drop_worker(const std::string& id);
  // Sets weight and quota of a tenant, which is made where it is not there.
  void put_tenant(const v1::Tenant& tenant);
  void put_usage(const TenantRecord& record);
  // Inserts it, with its tenant, or replaces what is kept of the same secret.
  void put_token(const auth::TokenRecord& record);

  // Durable when it returns OK.
  Status commit();

 private:
  template <class... Values>
  void run(std::string_view sql, const Values&... values);
  // `sql` deletes what names blobs and returns their digests and bytes.
  template <class... Values>
  Dropped drop(std::string_view sql, const Values&... values);
  void spare_named_blobs();
  void remove_dropped_blobs();

  Store& store_;
  Status status_;
  std::set<std::string> dropped_;  // digests of what is dropped
  bool open_ = false;
};

}  // namespace prefixmem::store
