#include "coordinator/store/reader.h"

#include <google/protobuf/message_lite.h>

#include <nlohmann/json.hpp>

#include "common/proto/sweep_state.h"

namespace prefixmem::store {
namespace {

Status parse(const Row& row, int column, google::protobuf::MessageLite& message) {
  if (message.ParseFromString(row.text(column))) return {};
  return data_loss("store: a " + message.GetTypeName() + " cannot be read back");
}

// From its code's name and the message in the next column.
Status parse(const Row& row, int column, Status& status) {
  const auto code = code_from_name(row.text(column));
  if (!code) return data_loss("store: \"" + row.text(column) + "\" is no status code");
  status = Status(*code, row.text(column + 1));
  return {};
}

// Takes the rows (seq, body) of a page of at most `limit`, the newest first; `trim` drops what a
// page leaves out of each. The first row that no longer fits says where the next page begins.
template <class Message, class Trim>
auto page_filler(std::vector<Message>& page, int64_t& next_seq, int limit, const Trim& trim) {
  return [&page, &next_seq, limit, trim, bytes = size_t{0}](const Row& row) mutable {
    if (next_seq != 0) return Status();
    if (static_cast<int>(page.size()) == limit || bytes > Reader::kPageBytes) {
      next_seq = row.integer(0) + 1;
      return Status();
    }
    PM_TRY(parse(row, 1, page.emplace_back()));
    trim(page.back());
    bytes += page.back().ByteSizeLong();
    return Status();
  };
}

}  // namespace

Reader::Reader(std::vector<Database> connections) : connections_(std::move(connections)) {
  for (Database& connection : connections_) free_.push_back(&connection);
}

Result<std::unique_ptr<Reader>> Reader::open(const std::filesystem::path& file, int connections) {
  std::vector<Database> opened;
  for (int i = 0; i < connections; ++i) {
    PM_ASSIGN(Database database, Database::open(file, /*read_only=*/true));
    opened.push_back(std::move(database));
  }
  return std::unique_ptr<Reader>(new Reader(std::move(opened)));
}

Reader::Lease::Lease(Reader& reader) : reader_(reader) {
  const MutexLock lock(reader_.mutex_);
  while (reader_.free_.empty()) reader_.freed_.wait(reader_.mutex_);
  database_ = reader_.free_.back();
  reader_.free_.pop_back();
}

Reader::Lease::~Lease() {
  {
    const MutexLock lock(reader_.mutex_);
    reader_.free_.push_back(database_);
  }
  reader_.freed_.notify_one();
}

template <class Message, class... Values>
Result<std::vector<Message>> Reader::messages(std::string_view sql, const Values&... values) {
  const Lease database(*this);
  std::vector<Message> found;
  PM_TRY(database->query([&](const Row& row) { return parse(row, 0, found.emplace_back()); }, sql,
                         values...));
  return found;
}

// Of the first column.
template <class... Values>
Result<std::vector<std::string>> Reader::texts(std::string_view sql, const Values&... values) {
  const Lease database(*this);
  std::vector<std::string> found;
  PM_TRY(database->query(
      [&](const Row& row) {
        found.push_back(row.text(0));
        return Status();
      },
      sql, values...));
  return found;
}

template <class Message, class... Values>
Result<std::optional<Message>> Reader::one(std::string_view sql, const Values&... values) {
  PM_ASSIGN(auto found, messages<Message>(sql, values...));
  if (found.empty()) return std::optional<Message>();
  return std::optional<Message>(std::move(found.front()));
}

Result<std::optional<v1::Job>> Reader::job(const std::string& id) {
  return one<v1::Job>("SELECT body FROM jobs WHERE id = ?", id);
}

Result<std::vector<std::string>> Reader::ids_named(const std::string& name, int limit) {
  return texts("SELECT id FROM jobs WHERE name = ? ORDER BY seq DESC LIMIT ?", name, limit);
}

// Conditions stand there always, so that the text is one; a bound 0 or '' switches one off. States
// are a bit set, labels a JSON object.
Result<JobPage> Reader::list(const JobFilter& filter, int limit) {
  int64_t states = 0;
  for (const v1::JobState state : filter.states) states |= int64_t{1} << state;
  JobPage page;
  const Lease database(*this);
  PM_TRY(database->query(
      page_filler(page.jobs, page.next_seq, limit, [](v1::Job& job) { job.clear_stderr_tail(); }),
      "SELECT seq, body FROM jobs"
      " WHERE (?1 = 0 OR seq < ?1) AND (?2 = 0 OR (?2 >> state) & 1)"
      " AND (?3 = '' OR sweep_id = ?3) AND (?4 = '' OR name = ?4)"
      " AND (?5 = '' OR substr(name, 1, length(?5)) = ?5)"
      " AND NOT EXISTS (SELECT 1 FROM json_each(?6) AS wanted WHERE NOT EXISTS"
      "  (SELECT 1 FROM labels WHERE labels.seq = jobs.seq AND labels.key = wanted.key"
      "   AND labels.value = wanted.value))"
      " ORDER BY seq DESC LIMIT ?7",
      filter.before_seq, states, filter.sweep_id, filter.name, filter.name_prefix,
      nlohmann::json(filter.labels).dump(), limit + 1));
  return page;
}

Result<JobPage> Reader::newest_unfinished(int limit) {
  JobPage page;
  const Lease database(*this);
  PM_TRY(database->query(
      page_filler(page.jobs, page.next_seq, limit, [](v1::Job& job) { job.clear_stderr_tail(); }),
      "SELECT seq, body FROM jobs WHERE state IN (?, ?, ?) ORDER BY seq DESC LIMIT ?",
      static_cast<int>(v1::JOB_STATE_QUEUED), static_cast<int>(v1::JOB_STATE_STARTING),
      static_cast<int>(v1::JOB_STATE_RUNNING), limit + 1));
  return page;
}

// One query for all of them.
Status Reader::count_trials(std::vector<v1::Sweep>& sweeps) {
  std::map<std::string, v1::TrialCounts*> counts;
  for (v1::Sweep& sweep : sweeps) counts[sweep.id()] = sweep.mutable_trials();
  nlohmann::json ids = nlohmann::json::array();
  for (const auto& [id, trials] : counts) ids.push_back(id);
  const Lease database(*this);
  return database->query(
      [&](const Row& row) {
        add_to(*counts.at(row.text(0)), static_cast<v1::JobState>(row.integer(1)),
               static_cast<int>(row.integer(2)));
        return Status();
      },
      "SELECT sweep_id, state, count(*) FROM jobs"
      " WHERE sweep_id IN (SELECT value FROM json_each(?)) GROUP BY sweep_id, state",
      ids.dump());
}

Result<std::optional<v1::Sweep>> Reader::sweep(const std::string& id) {
  PM_ASSIGN(auto found, messages<v1::Sweep>("SELECT body FROM sweeps WHERE id = ?", id));
  if (found.empty()) return std::optional<v1::Sweep>();
  PM_TRY(count_trials(found));
  return std::optional<v1::Sweep>(std::move(found.front()));
}

// Names stand in the messages alone, of which there are few.
Result<std::vector<v1::Sweep>> Reader::sweeps_named(const std::string& name) {
  PM_ASSIGN(auto sweeps, messages<v1::Sweep>("SELECT body FROM sweeps ORDER BY seq DESC"));
  std::erase_if(sweeps, [&](const v1::Sweep& sweep) { return sweep.name() != name; });
  PM_TRY(count_trials(sweeps));
  return sweeps;
}

Result<SweepPage> Reader::sweeps(int64_t before_seq, int limit) {
  SweepPage page;
  {
    const Lease database(*this);
    PM_TRY(database->query(
        page_filler(page.sweeps, page.next_seq, limit, [](v1::Sweep&) {}),
        "SELECT seq, body FROM sweeps WHERE (?1 = 0 OR seq < ?1) ORDER BY seq DESC LIMIT ?2",
        before_seq, limit + 1));
  }
  PM_TRY(count_trials(page.sweeps));
  return page;
}

Result<std::vector<v1::Sweep>> Reader::unfinished_sweeps() {
  return messages<v1::Sweep>("SELECT body FROM sweeps WHERE state = ? ORDER BY seq",
                             static_cast<int>(v1::SWEEP_STATE_RUNNING));
}

Result<std::vector<v1::ModelConfig>> Reader::told_models(const std::string& sweep_id) {
  return messages<v1::ModelConfig>("SELECT body FROM told_models WHERE sweep_id = ?", sweep_id);
}

Result<std::vector<v1::Job>> Reader::trials(const std::string& sweep_id) {
  return messages<v1::Job>("SELECT body FROM jobs WHERE sweep_id = ? ORDER BY seq", sweep_id);
}

Result<Reader::Counts> Reader::count_by_state() {
  const Lease database(*this);
  Counts counts;
  PM_TRY(database->query(
      [&](const Row& row) {
        counts[static_cast<v1::JobState>(row.integer(0))] = row.integer(1);
        return Status();
      },
      "SELECT state, count(*) FROM jobs GROUP BY state"));
  return counts;
}

Result<std::map<std::string, Reader::Counts>> Reader::count_by_sweep() {
  const Lease database(*this);
  std::map<std::string, Counts> counts;
  PM_TRY(database->query(
      [&](const Row& row) {
        counts[row.text(0)][static_cast<v1::JobState>(row.integer(1))] = row.integer(2);
        return Status();
      },
      "SELECT sweep_id, state, count(*) FROM jobs WHERE sweep_id IN "
      "(SELECT sweep_id FROM jobs WHERE state IN (?, ?, ?) AND sweep_id <> '') "
      "GROUP BY sweep_id, state",
      v1::JOB_STATE_QUEUED, v1::JOB_STATE_STARTING, v1::JOB_STATE_RUNNING));
  return counts;
}

Result<std::vector<v1::JobEvent>> Reader::events(const std::string& job_id, int64_t from_number,
                                                 int limit) {
  return messages<v1::JobEvent>(
      "SELECT body FROM events WHERE job_id = ? AND number >= ? ORDER BY number LIMIT ?", job_id,
      from_number, limit);
}

Result<std::vector<v1::JobEvent>> Reader::logs(const std::string& job_id, int64_t from_number,
                                               int limit) {
  return messages<v1::JobEvent>(
      "SELECT body FROM events WHERE job_id = ? AND number >= ? AND is_log ORDER BY number LIMIT ?",
      job_id, from_number, limit);
}

Result<std::vector<v1::Artifact>> Reader::artifacts(const std::string& job_id) {
  return messages<v1::Artifact>(
      "SELECT body, max(version) FROM artifacts WHERE job_id = ? GROUP BY path ORDER BY path",
      job_id);
}

Result<std::optional<v1::Artifact>> Reader::newest_version(const std::string& job_id,
                                                           const std::string& path) {
  return one<v1::Artifact>(
      "SELECT body FROM artifacts WHERE job_id = ? AND path = ? ORDER BY version DESC LIMIT 1",
      job_id, path);
}

Result<std::vector<v1::Artifact>> Reader::newest_checkpoints(const std::string& job_id, int limit) {
  return messages<v1::Artifact>(
      "SELECT body FROM artifacts WHERE job_id = ? AND kind = 'checkpoint'"
      " ORDER BY step DESC, version DESC LIMIT ?",
      job_id, limit);
}

Result<std::optional<v1::Artifact>> Reader::newest_checkpoint(const std::string& job_id) {
  PM_ASSIGN(auto found, newest_checkpoints(job_id, 1));
  if (found.empty()) return std::optional<v1::Artifact>();
  return std::optional<v1::Artifact>(std::move(found.front()));
}

Result<std::optional<v1::Artifact>> Reader::artifact_by_digest(const std::string& job_id,
                                                               const std::string& sha256) {
  return one<v1::Artifact>("SELECT body FROM artifacts WHERE job_id = ? AND sha256 = ? LIMIT 1",
                           job_id, sha256);
}

Result<std::optional<v1::Artifact>> Reader::same_artifact(const std::string& job_id,
                                                          const v1::Artifact& artifact) {
  return one<v1::Artifact>(
      "SELECT body FROM artifacts WHERE job_id = ? AND attempt = ? AND path = ? AND sha256 = ?",
      job_id, artifact.attempt(), artifact.path(), artifact.sha256());
}

Result<std::optional<int64_t>> Reader::content_bytes(const std::string& sha256) {
  const Lease database(*this);
  std::optional<int64_t> bytes;
  PM_TRY(database->query(
      [&](const Row& row) {
        bytes = row.integer(0);
        return Status();
      },
      "SELECT bytes FROM contents WHERE sha256 = ?", sha256));
  return bytes;
}

Result<std::vector<v1::Model>> Reader::models() {
  return messages<v1::Model>("SELECT body FROM models ORDER BY name");
}

Result<std::optional<v1::Model>> Reader::model(const std::string& name) {
  return one<v1::Model>("SELECT body FROM models WHERE name = ?", name);
}

Result<std::set<std::string>> Reader::digests() {
  PM_ASSIGN(const auto found,
            texts("SELECT sha256 FROM artifacts UNION SELECT sha256 FROM contents"));
  return std::set<std::string>(found.begin(), found.end());
}

Result<std::vector<std::string>> Reader::old_jobs_with_files(WallTime before) {
  return texts(
      "SELECT id FROM jobs WHERE end_ms <> 0 AND end_ms < ? AND NOT pinned"
      " AND EXISTS (SELECT 1 FROM artifacts WHERE job_id = jobs.id)"
      " AND NOT EXISTS (SELECT 1 FROM sweeps WHERE id = jobs.sweep_id AND state = ?)"
      " ORDER BY end_ms",
      to_unix_millis(before), static_cast<int>(v1::SWEEP_STATE_RUNNING));
}

Result<std::vector<std::string>> Reader::old_jobs(WallTime before) {
  return texts(
      "SELECT id FROM jobs WHERE end_ms <> 0 AND end_ms < ? AND NOT pinned"
      " AND NOT EXISTS (SELECT 1 FROM sweeps WHERE id = jobs.sweep_id) ORDER BY end_ms",
      to_unix_millis(before));
}

Result<std::vector<std::string>> Reader::old_sweeps(WallTime before) {
  return texts(
      "SELECT id FROM sweeps WHERE state <> ? AND NOT EXISTS (SELECT 1 FROM jobs"
      " WHERE sweep_id = sweeps.id AND (end_ms = 0 OR end_ms >= ? OR pinned)) ORDER BY seq",
      static_cast<int>(v1::SWEEP_STATE_RUNNING), to_unix_millis(before));
}

Result<bool> Reader::has_leftovers(WallTime before) {
  PM_ASSIGN(const auto found, texts("SELECT 1 FROM leftovers WHERE has_events UNION ALL"
                                    " SELECT 1 FROM leftovers WHERE remove_ms < ? LIMIT 1",
                                    to_unix_millis(before)));
  return !found.empty();
}

Result<std::optional<Submission>> Reader::submission(const std::string& idempotency_key) {
  const Lease database(*this);
  std::optional<Submission> found;
  PM_TRY(database->query(
      [&](const Row& row) {
        found = Submission{row.text(0), row.text(1), row.text(2), row.text(3)};
        return Status();
      },
      "SELECT idempotency_key, spec_sha256, sweep_id, job_id FROM submissions"
      " WHERE idempotency_key = ?",
      idempotency_key));
  return found;
}

Result<int64_t> Reader::last_seq() {
  const Lease database(*this);
  int64_t seq = 0;
  PM_TRY(database->query(
      [&](const Row& row) {
        seq = row.integer(0);
        return Status();
      },
      "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'"));
  return seq;
}

Result<std::vector<JobRecord>> Reader::unfinished_jobs() {
  const Lease database(*this);
  std::vector<JobRecord> records;
  PM_TRY(database->query(
      [&](const Row& row) {
        JobRecord& record = records.emplace_back();
        record.seq = row.integer(0);
        record.retries = static_cast<int>(row.integer(1));
        PM_TRY(parse(row, 2, record.stop));
        record.last_event = row.integer(4);
        record.steps_timed = row.integer(5);
        record.step_seconds = row.real(6);
        record.furthest_step = row.integer(7);
        record.run_time = Millis(row.integer(8));
        record.bank_limit = static_cast<int>(row.integer(9));
        return parse(row, 10, record.job);
      },
      "SELECT seq, retries, stop_code, stop_reason, last_event, steps_timed, step_seconds,"
      " furthest_step, run_ms, bank_limit, body FROM jobs"
      " WHERE state IN (?, ?, ?) ORDER BY seq",
      static_cast<int>(v1::JOB_STATE_QUEUED), static_cast<int>(v1::JOB_STATE_STARTING),
      static_cast<int>(v1::JOB_STATE_RUNNING)));
  return records;
}

Result<std::optional<AttemptRecord>> Reader::attempt(const std::string& job_id, int attempt) {
  const Lease database(*this);
  std::optional<AttemptRecord> found;
  PM_TRY(database->query(
      [&](const Row& row) {
        found = AttemptRecord{job_id,      attempt,        row.text(0),
                              row.text(1), row.integer(2), from_unix_millis(row.integer(3))};
        if (row.integer(4) != 0) found->end = from_unix_millis(row.integer(4));
        found->code = row.text(5);
        found->message = row.text(6);
        return Status();
      },
      "SELECT worker_id, gang, last_event, start_ms, end_ms, code, message FROM attempts"
      " WHERE job_id = ? AND attempt = ?",
      job_id, attempt));
  return found;
}

Result<std::vector<v1::Worker>> Reader::workers() {
  return messages<v1::Worker>("SELECT body FROM workers ORDER BY id");
}

Result<std::vector<TenantRecord>> Reader::tenants() {
  const Lease database(*this);
  std::vector<TenantRecord> found;
  PM_TRY(database->query(
      [&](const Row& row) {
        TenantRecord& record = found.emplace_back();
        record.stored_bytes = row.integer(1);
        record.recent_slots = row.real(2);
        record.used = from_unix_millis(row.integer(3));
        PM_TRY(parse(row, 4, record.tenant));
        record.tenant.set_name(row.text(0));
        return Status();
      },
      "SELECT name, stored_bytes, recent_slots, used_ms, body FROM tenants ORDER BY name"));
  return found;
}

Result<std::vector<auth::TokenRecord>> Reader::tokens() {
  const Lease database(*this);
  std::vector<auth::TokenRecord> found;
  PM_TRY(database->query(
      [&](const Row& row) {
        found.emplace_back().sha256 = row.text(0);
        return parse(row, 1, found.back().token);
      },
      "SELECT sha256, body FROM tokens ORDER BY seq"));
  return found;
}

}  // namespace prefixmem::store
