#include "coordinator/store/store.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <spdlog/spdlog.h>

#include <system_error>

#include "common/id.h"
#include "common/proto/timestamps.h"
#include "coordinator/store/integrity.h"
#include "coordinator/store/s3/s3_blobs.h"
#include "coordinator/store/schema.h"

namespace prefixmem::store {

namespace {

namespace fs = std::filesystem;

// So that whoever asks for one row is not behind everybody who watches.
constexpr int kReaders = 4;

Status check_restored(const fs::path& folder) {
  std::error_code error;
  const fs::path mark = folder / Store::kRestoring;
  if (!fs::exists(mark, error) && !error) return {};
  return failed_precondition(
      fmt::format("{} is there: a restore of this folder was cut off; run it again with pmt admin "
                  "restore BACKUP --data-dir {}",
                  mark.string(), folder.string()));
}

// 0: it has not ended.
int64_t end_of(const v1::Job& job) {
  return job.has_end_time() ? to_unix_millis(from_timestamp(job.end_time())) : 0;
}

// The same bytes each time, maps too: a row that is written again as it was costs no page.
std::string serialized(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream text(&bytes);
  google::protobuf::io::CodedOutputStream coded(&text);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// With nothing in it: what a crash left of snapshots is of no use.
Status make_snapshot_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return from_errno("removing " + folder.string(), error.value());
  return make_folders(folder);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const fs::path& folder, const OpenBlobs& open_blobs) {
  PM_ASSIGN(auto store, open_unswept(folder, open_blobs));
  PM_TRY(store->remove_orphans());
  return store;
}

Result<std::unique_ptr<Store>> Store::open_database(const fs::path& folder) {
  return open_unswept(folder, DirectoryBlobs::open);
}

Result<std::unique_ptr<Store>> Store::open_unswept(const fs::path& folder,
                                                   const OpenBlobs& open_blobs) {
  PM_TRY(make_folders(folder));
  PM_ASSIGN(auto lock, FileLock::acquire(folder / "lock"));
  PM_TRY(check_restored(folder));
  const auto file = folder / "coordinator.db";
  PM_ASSIGN(auto writer, Database::open(file));
  PM_TRY(check_integrity(writer, file));
  PM_TRY(prepare_schema(writer).with_context(file.string()));
  PM_TRY(make_snapshot_folder(folder / Snapshot::kFolder));
  std::unique_ptr<Store> store(new Store(folder, std::move(lock), std::move(writer)));
  PM_ASSIGN(store->reader_, Reader::open(file, kReaders));
  PM_ASSIGN(store->blobs_, open_blobs(folder / "blobs"));
  return store;
}

// Blobs are kept from before the moment of the copy, so all that it names are there.
Result<std::unique_ptr<Snapshot>> Store::begin_snapshot() {
  auto keeper = blobs().keep_all();
  fs::path file = folder_ / Snapshot::kFolder / (new_id("snapshot") + ".db");
  PM_ASSIGN(auto copy, OnlineCopy::begin(folder_ / "coordinator.db", file));
  return std::make_unique<Snapshot>(std::move(copy), std::move(file), std::move(keeper));
}

// Asked of a store that has been in a bucket: of any other there is but one place.
Status Store::check_place(const std::set<std::string>& named) const {
  std::error_code error;
  if (!fs::exists(folder_ / "blobs" / s3::S3Blobs::kIdentity, error) && !error) return {};
  for (const std::string& sha256 : named) {
    PM_ASSIGN(const auto there, blobs_->size(sha256));
    if (there) return {};
  }
  if (named.empty()) return {};
  return failed_precondition(
      fmt::format("none of the {} files that {} names is in {}; allowed: --blobs as it was before, "
                  "or the files copied there first",
                  named.size(), (folder_ / "coordinator.db").string(), blobs_->place()));
}

Status Store::remove_orphans() {
  PM_ASSIGN(const auto named, reader().digests());
  PM_TRY(check_place(named));
  PM_ASSIGN(const int removed, blobs().keep_only(named));
  if (removed > 0) spdlog::info("removed {} blobs that nothing names", removed);
  return {};
}

Transaction::Transaction(Store& store) : store_(store), status_(store.failure_) {
  if (!status_.ok()) return;
  status_ = store_.writer_.run("BEGIN IMMEDIATE");
  open_ = status_.ok();
}

Transaction::~Transaction() {
  if (!open_) return;
  if (Status undone = store_.writer_.run("ROLLBACK"); !undone.ok() && store_.failure_.ok()) {
    store_.failure_ = std::move(undone);
  }
}

template <class... Values>
void Transaction::run(std::string_view sql, const Values&... values) {
  if (status_.ok()) status_ = store_.writer_.run(sql, values...);
}

Status Transaction::commit() {
  spare_named_blobs();
  run("COMMIT");
  if (status_.ok()) {
    open_ = false;
    remove_dropped_blobs();
  } else {
    store_.failure_ = status_;
  }
  return status_;
}

// Another artifact, maybe of another job, may have the same content, or a spec may name it.
void Transaction::spare_named_blobs() {
  std::set<std::string> orphans;
  for (const std::string& digest : dropped_) {
    bool named = false;
    if (!status_.ok()) return;
    status_ = store_.writer_.query(
        [&](const Row&) {
          named = true;
          return Status();
        },
        "SELECT 1 FROM artifacts WHERE sha256 = ?1 UNION ALL"
        " SELECT 1 FROM contents WHERE sha256 = ?1 LIMIT 1",
        digest);
    if (!named) orphans.insert(digest);
  }
  dropped_.swap(orphans);
}

// What cannot be removed is tried again when the store is next opened.
void Transaction::remove_dropped_blobs() {
  for (const std::string& digest : dropped_) {
    const auto removed = store_.blobs().remove(digest);
    if (!removed.ok()) spdlog::warn("{}", removed.status().message());
  }
}

void Transaction::insert_job(JobRecord& record) {
  const v1::Job& job = record.job;
  run("INSERT INTO jobs (seq, id, name, sweep_id, state, retries, stop_code, stop_reason, "
      "last_event,"
      " steps_timed, step_seconds, furthest_step, run_ms, bank_limit, tenant, pinned, end_ms, body)"
      " VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      record.seq, job.id(), job.name(), job.sweep_id(), static_cast<int>(job.state()),
      record.retries, code_name(record.stop.code()), record.stop.message(), record.last_event,
      record.steps_timed, record.step_seconds, record.furthest_step, record.run_time.count(),
      record.bank_limit, auth::tenant_of(job), int{job.pinned()}, end_of(job),
      Blob{serialized(job)});
  if (record.seq == 0) record.seq = store_.writer_.last_row_id();
  for (const auto& [key, value] : job.spec().labels()) {
    run("INSERT INTO labels (seq, key, value) VALUES (?, ?, ?)", record.seq, key, value);
  }
}

void Transaction::update_job(const JobRecord& record) {
  const v1::Job& job = record.job;
  run("UPDATE jobs SET state = ?, retries = ?, stop_code = ?, stop_reason = ?, last_event = ?,"
      " steps_timed = ?, step_seconds = ?, furthest_step = ?, run_ms = ?, bank_limit = ?,"
      " pinned = ?, end_ms = ?, body = ? WHERE seq = ?",
      static_cast<int>(job.state()), record.retries, code_name(record.stop.code()),
      record.stop.message(), record.last_event, record.steps_timed, record.step_seconds,
      record.furthest_step, record.run_time.count(), record.bank_limit, int{job.pinned()},
      end_of(job), Blob{serialized(job)}, record.seq);
}

void Transaction::update_ended_job(const v1::Job& job) {
  run("UPDATE jobs SET pinned = ?, body = ? WHERE id = ?", int{job.pinned()}, Blob{serialized(job)},
      job.id());
}

// The files first: whose they were stands with the job.
Dropped Transaction::drop_job(const std::string& job_id, WallTime now) {
  const Dropped files = drop_files(job_id);
  run("INSERT INTO leftovers (job_id, remove_ms, has_events) VALUES (?, ?, 1)", job_id,
      to_unix_millis(now));
  run("DELETE FROM attempts WHERE job_id = ?", job_id);
  run("DELETE FROM labels WHERE seq = (SELECT seq FROM jobs WHERE id = ?)", job_id);
  run("DELETE FROM jobs WHERE id = ?", job_id);
  return files;
}

void Transaction::put_attempt(const AttemptRecord& record) {
  run("INSERT OR REPLACE INTO attempts (job_id, attempt, worker_id, gang, last_event, start_ms,"
      " end_ms, code, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      record.job_id, record.attempt, record.worker_id, record.gang, record.last_event,
      to_unix_millis(record.start), record.end ? to_unix_millis(*record.end) : 0, record.code,
      record.message);
}

void Transaction::add_event(const v1::JobEvent& event) {
  run("INSERT INTO events (job_id, number, is_log, body) VALUES (?, ?, ?, ?)", event.job_id(),
      event.number(), static_cast<int>(event.trainer().has_log()), Blob{serialized(event)});
}

void Transaction::add_artifact(const std::string& job_id, const v1::Artifact& artifact) {
  run("INSERT INTO artifacts (job_id, attempt, path, sha256, kind, step, bytes, body)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      job_id, artifact.attempt(), artifact.path(), artifact.sha256(), artifact.kind(),
      int64_t{artifact.step()}, int64_t{artifact.bytes()}, Blob{serialized(artifact)});
}

template <class... Values>
Dropped Transaction::drop(std::string_view sql, const Values&... values) {
  Dropped dropped;
  if (!status_.ok()) return dropped;
  status_ = store_.writer_.query(
      [&](const Row& row) {
        dropped_.insert(row.text(0));
        dropped.files += 1;
        dropped.bytes += row.integer(1);
        return Status();
      },
      sql, values...);
  return dropped;
}

void Transaction::keep_newest_checkpoints(const std::string& job_id, int count) {
  drop(
      "DELETE FROM artifacts WHERE job_id = ?1 AND kind = 'checkpoint' AND version NOT IN"
      " (SELECT version FROM artifacts WHERE job_id = ?1 AND kind = 'checkpoint'"
      "  ORDER BY step DESC, version DESC LIMIT ?2) RETURNING sha256, bytes",
      job_id, count);
}

void Transaction::keep_newest_version(const std::string& job_id, const std::string& path) {
  drop(
      "DELETE FROM artifacts WHERE job_id = ?1 AND path = ?2 AND version <>"
      " (SELECT version FROM artifacts WHERE job_id = ?1 AND path = ?2"
      "  ORDER BY attempt DESC, step DESC, version DESC LIMIT 1) RETURNING sha256, bytes",
      job_id, path);
}

void Transaction::drop_best_adapters_before(const std::string& job_id, int64_t step) {
  drop(
      "DELETE FROM artifacts WHERE job_id = ?1 AND kind = 'best_adapter' AND step <> ?2"
      " AND version < (SELECT max(version) FROM artifacts"
      "  WHERE job_id = ?1 AND kind = 'best_adapter' AND step = ?2) RETURNING sha256, bytes",
      job_id, step);
}

void Transaction::keep_best_adapter(const std::string& job_id, int64_t step) {
  drop(
      "DELETE FROM artifacts WHERE job_id = ? AND kind = 'best_adapter' AND step <> ?"
      " RETURNING sha256, bytes",
      job_id, step);
}

void Transaction::add_content(const ContentRecord& record) {
  run("INSERT INTO contents (sha256, bytes, use_ms, tenant) VALUES (?, ?, ?, ?)"
      " ON CONFLICT DO UPDATE SET use_ms = max(use_ms, excluded.use_ms)",
      record.sha256, record.bytes, to_unix_millis(record.use), record.tenant);
}

void Transaction::use_content(const std::string& sha256, WallTime now) {
  run("UPDATE contents SET use_ms = max(use_ms, ?) WHERE sha256 = ?", to_unix_millis(now), sha256);
}

bool Transaction::drop_events_of_removed(int most) {
  int dropped = 0;
  if (!status_.ok()) return false;
  status_ = store_.writer_.query(
      [&](const Row&) {
        ++dropped;
        return Status();
      },
      "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE job_id IN"
      " (SELECT job_id FROM leftovers WHERE has_events) LIMIT ?) RETURNING number",
      most);
  if (dropped == most) return true;
  run("DELETE FROM leftovers WHERE has_events AND NOT EXISTS"
      " (SELECT 1 FROM submissions WHERE job_id = leftovers.job_id)");
  run("UPDATE leftovers SET has_events = 0 WHERE has_events");
  return false;
}

void Transaction::drop_keys_of_removed(WallTime before) {
  run("DELETE FROM submissions WHERE job_id IN"
      " (SELECT job_id FROM leftovers WHERE remove_ms < ? AND NOT has_events)",
      to_unix_millis(before));
  run("DELETE FROM leftovers WHERE remove_ms < ? AND NOT has_events", to_unix_millis(before));
}

Dropped Transaction::drop_files(const std::string& job_id) {
  return drop("DELETE FROM artifacts WHERE job_id = ? RETURNING sha256, bytes", job_id);
}

int Transaction::drop_content(WallTime before) {
  return drop("DELETE FROM contents WHERE use_ms < ? RETURNING sha256, bytes",
              to_unix_millis(before))
      .files;
}

void Transaction::insert_model(const v1::Model& model) {
  run("INSERT INTO models (name, body) VALUES (?, ?)", model.name(), Blob{serialized(model)});
}

void Transaction::drop_model(const std::string& name) {
  run("DELETE FROM models WHERE name = ?", name);
}

void Transaction::insert_sweep(const v1::Sweep& sweep) {
  run("INSERT INTO sweeps (id, state, body) VALUES (?, ?, ?)", sweep.id(),
      static_cast<int>(sweep.state()), Blob{serialized(sweep)});
}

void Transaction::add_told_model(const std::string& sweep_id, const v1::ModelConfig& model) {
  run("INSERT INTO told_models (sweep_id, model, body) VALUES (?, ?, ?)", sweep_id, model.model(),
      Blob{serialized(model)});
}

void Transaction::drop_told_models(const std::string& sweep_id) {
  run("DELETE FROM told_models WHERE sweep_id = ?", sweep_id);
}

void Transaction::update_sweep(const v1::Sweep& sweep) {
  run("UPDATE sweeps SET state = ?, body = ? WHERE id = ?", static_cast<int>(sweep.state()),
      Blob{serialized(sweep)}, sweep.id());
}

void Transaction::drop_sweep(const std::string& sweep_id) {
  run("DELETE FROM sweeps WHERE id = ?", sweep_id);
}

void Transaction::add_submission(const Submission& submission) {
  run("INSERT INTO submissions (idempotency_key, spec_sha256, sweep_id, job_id)"
      " VALUES (?, ?, ?, ?)",
      submission.idempotency_key, submission.spec_sha256, submission.sweep_id, submission.job_id);
}

void Transaction::put_worker(const v1::Worker& worker) {
  run("INSERT OR REPLACE INTO workers (id, body) VALUES (?, ?)", worker.id(),
      Blob{serialized(worker)});
}

void Transaction::drop_worker(const std::string& id) {
  run("DELETE FROM workers WHERE id = ?", id);
}

void Transaction::put_tenant(const v1::Tenant& tenant) {
  run("INSERT INTO tenants (name, body) VALUES (?, ?)"
      " ON CONFLICT (name) DO UPDATE SET body = excluded.body",
      tenant.name(), Blob{serialized(tenant)});
}

void Transaction::put_usage(const TenantRecord& record) {
  run("UPDATE tenants SET recent_slots = ?, used_ms = ? WHERE name = ?", record.recent_slots,
      to_unix_millis(record.used), record.tenant.name());
}

void Transaction::put_token(const auth::TokenRecord& record) {
  run("INSERT INTO tokens (sha256, body) VALUES (?, ?)"
      " ON CONFLICT (sha256) DO UPDATE SET body = excluded.body",
      record.sha256, Blob{serialized(record.token)});
  run("INSERT INTO tenants (name, body) VALUES (?, x'') ON CONFLICT DO NOTHING",
      auth::tenant_of(record.token));
}

}  // namespace prefixmem::store
