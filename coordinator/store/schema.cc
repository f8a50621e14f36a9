#include "coordinator/store/schema.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/proto/timestamps.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::store {
namespace {

// `body` is the message that the API shows; the columns beside it are what is searched by and what
// only the coordinator needs.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  sweep_id TEXT NOT NULL,
  state INTEGER NOT NULL,
  retries INTEGER NOT NULL,
  cancel_reason TEXT NOT NULL,
  last_event INTEGER NOT NULL,
  steps_timed INTEGER NOT NULL,
  step_seconds REAL NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX jobs_by_name ON jobs (name);
CREATE INDEX jobs_by_sweep ON jobs (sweep_id);
CREATE INDEX jobs_by_state ON jobs (state);

CREATE TABLE labels (
  seq INTEGER NOT NULL REFERENCES jobs (seq),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (seq, key)
) WITHOUT ROWID;

CREATE TABLE attempts (
  job_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  worker_id TEXT NOT NULL,
  last_event INTEGER NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job_id, attempt)
) WITHOUT ROWID;

-- Log lines are the events with is_log.
CREATE TABLE events (
  job_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  is_log INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (job_id, number)
);
CREATE INDEX logs ON events (job_id, number) WHERE is_log;

CREATE TABLE artifacts (
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  path TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  kind TEXT NOT NULL,
  step INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (job_id, attempt, path, sha256)
);

CREATE TABLE submissions (
  idempotency_key TEXT PRIMARY KEY,
  spec_sha256 TEXT NOT NULL,
  sweep_id TEXT NOT NULL,
  job_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  body BLOB NOT NULL
) WITHOUT ROWID;
)sql";

constexpr const char* kVersion2 = "CREATE INDEX artifacts_by_digest ON artifacts (sha256);";
constexpr const char* kVersion3 =
    "ALTER TABLE jobs ADD COLUMN furthest_step INTEGER NOT NULL DEFAULT 0;";
// Before it, each attempt had a gang of its own.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE attempts ADD COLUMN gang TEXT NOT NULL DEFAULT '';
UPDATE attempts SET gang = job_id || '/' || attempt;
ALTER TABLE jobs ADD COLUMN bank_limit INTEGER NOT NULL DEFAULT 0;
)sql";
// Sweeps of before it have no row: all their trials are jobs.
constexpr const char* kVersion5 = R"sql(
CREATE TABLE sweeps (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX sweeps_by_state ON sweeps (state);
)sql";

// Before it, all that could be asked of a job was a cancel.
constexpr const char* kVersion6 = R"sql(
ALTER TABLE jobs RENAME COLUMN cancel_reason TO stop_reason;
ALTER TABLE jobs ADD COLUMN stop_code TEXT NOT NULL DEFAULT 'OK';
UPDATE jobs SET stop_code = 'CANCELLED' WHERE stop_reason <> '';
)sql";

constexpr const char* kVersion7 =
    "ALTER TABLE jobs ADD COLUMN run_ms INTEGER NOT NULL DEFAULT 0;"
    " UPDATE jobs SET run_ms = coalesce((SELECT sum(max(end_ms - start_ms, 0)) FROM attempts"
    " WHERE job_id = jobs.id AND end_ms <> 0), 0);";

constexpr const char* kVersion8 = R"sql(
CREATE TABLE tokens (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  sha256 TEXT NOT NULL UNIQUE,
  body BLOB NOT NULL
);
)sql";

// What jobs are made from, whose blobs lie beside those of artifacts; and names for models of it.
constexpr const char* kVersion9 = R"sql(
CREATE TABLE contents (
  sha256 TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL,
  use_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE models (
  name TEXT PRIMARY KEY,
  body BLOB NOT NULL
) WITHOUT ROWID;
)sql";

// Jobs of before it are of the tenant "default", and their files are counted as none.
constexpr const char* kVersion10 = R"sql(
CREATE TABLE tenants (
  name TEXT PRIMARY KEY,
  stored_bytes INTEGER NOT NULL DEFAULT 0,
  recent_slots REAL NOT NULL DEFAULT 0,
  used_ms INTEGER NOT NULL DEFAULT 0,
  body BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO tenants (name, body) VALUES ('default', x'');
ALTER TABLE jobs ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE artifacts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER artifact_added AFTER INSERT ON artifacts BEGIN
  UPDATE tenants SET stored_bytes = stored_bytes + NEW.bytes
    WHERE name = (SELECT tenant FROM jobs WHERE id = NEW.job_id);
END;
CREATE TRIGGER artifact_dropped AFTER DELETE ON artifacts BEGIN
  UPDATE tenants SET stored_bytes = stored_bytes - OLD.bytes
    WHERE name = (SELECT tenant FROM jobs WHERE id = OLD.job_id);
END;
)sql";

// What clients tell of models that are paths on workers, for trials that a search begins later.
constexpr const char* kVersion11 = R"sql(
CREATE TABLE told_models (
  sweep_id TEXT NOT NULL,
  model TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (sweep_id, model)
) WITHOUT ROWID;
)sql";

// Who has sent content, of whose stored bytes it takes; what was sent before counts for nobody.
constexpr const char* kVersion12 = R"sql(
ALTER TABLE contents ADD COLUMN tenant TEXT NOT NULL DEFAULT '';

CREATE TRIGGER content_added AFTER INSERT ON contents BEGIN
  UPDATE tenants SET stored_bytes = stored_bytes + NEW.bytes WHERE name = NEW.tenant;
END;
CREATE TRIGGER content_dropped AFTER DELETE ON contents BEGIN
  UPDATE tenants SET stored_bytes = stored_bytes - OLD.bytes WHERE name = OLD.tenant;
END;
)sql";

// By which what is old is found; and jobs that were removed while something of theirs was not:
// events, of which there may be many, and their submission's key.
constexpr const char* kVersion13 = R"sql(
ALTER TABLE jobs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN end_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_end ON jobs (end_ms) WHERE end_ms <> 0 AND NOT pinned;
CREATE TABLE leftovers (
  job_id TEXT PRIMARY KEY,
  remove_ms INTEGER NOT NULL,
  has_events INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX leftovers_with_events ON leftovers (job_id) WHERE has_events;
CREATE INDEX leftovers_by_time ON leftovers (remove_ms);
CREATE INDEX submissions_by_job ON submissions (job_id);
)sql";

// Their messages say when jobs ended.
Status note_ends(Database& database) {
  std::vector<std::pair<int64_t, int64_t>> ends;
  PM_TRY(database.query(
      [&](const Row& row) {
        v1::Job job;
        if (!job.ParseFromString(row.text(1))) {
          return data_loss("store: job " + row.text(2) + " cannot be read back");
        }
        ends.emplace_back(row.integer(0), to_unix_millis(from_timestamp(job.end_time())));
        return Status();
      },
      "SELECT seq, body, id FROM jobs WHERE state NOT IN (?, ?, ?)",
      static_cast<int>(v1::JOB_STATE_QUEUED), static_cast<int>(v1::JOB_STATE_STARTING),
      static_cast<int>(v1::JOB_STATE_RUNNING)));
  for (const auto& [seq, end] : ends) {
    PM_TRY(database.run("UPDATE jobs SET end_ms = ? WHERE seq = ?", end, seq));
  }
  return {};
}

// Brings the tables of the version before to its own.
struct Version {
  const char* tables;
  Status (*fill)(Database&) = nullptr;
};

constexpr std::array<Version, kSchemaVersion> kVersions = {{{kVersion1},
                                                            {kVersion2},
                                                            {kVersion3},
                                                            {kVersion4},
                                                            {kVersion5},
                                                            {kVersion6},
                                                            {kVersion7},
                                                            {kVersion8},
                                                            {kVersion9},
                                                            {kVersion10},
                                                            {kVersion11},
                                                            {kVersion12},
                                                            {kVersion13, note_ends}}};

Result<int64_t> version_of(Database& database) {
  int64_t version = 0;
  PM_TRY(database.query(
      [&](const Row& row) {
        version = row.integer(0);
        return Status();
      },
      "PRAGMA user_version"));
  return version;
}

// SQLite answers with the mode that it has, whether or not that is the one asked for.
Status switch_to_wal(Database& database) {
  std::string mode;
  PM_TRY(database.query(
      [&](const Row& row) {
        mode = row.text(0);
        return Status();
      },
      "PRAGMA journal_mode = WAL"));
  if (mode == "wal") return {};
  return failed_precondition(fmt::format(
      "journal_mode is {}; allowed: wal (the file system must be able to share memory)", mode));
}

}  // namespace

Status prepare_schema(Database& database) {
  PM_TRY(switch_to_wal(database));
  PM_TRY(database.execute("PRAGMA synchronous = FULL;"));
  PM_ASSIGN(const int64_t version, version_of(database));
  if (version > kSchemaVersion) {
    return invalid_argument(
        fmt::format("the store has schema version {}, this program knows versions up to {}",
                    version, kSchemaVersion));
  }
  for (auto next = static_cast<size_t>(version); next < kVersions.size(); ++next) {
    const Version& version_after = kVersions.at(next);
    PM_TRY(database.execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {};",
                                        version_after.tables, next + 1)));
    if (version_after.fill != nullptr) PM_TRY(version_after.fill(database));
    PM_TRY(database.execute("COMMIT;"));
  }
  return {};
}

}  // namespace prefixmem::store
