#include "coordinator/store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace prefixmem::store {

int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Row::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string Row::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
Database::Reset::~Reset() {
  sqlite3_reset(statement);  // repeats the failure of the step, which has been reported
  sqlite3_clear_bindings(statement);
}

Result<Database> Database::open(const std::filesystem::path& file, bool read_only) {
  const int flags =
      (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
      SQLITE_OPEN_NOMUTEX;
  Database database;
  database.file_ = file.string();
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  database.db_.reset(handle);
  if (code != SQLITE_OK) return database.failure(code);
  sqlite3_busy_timeout(handle, 10000);
  return database;
}

Status Database::execute(const std::string& script) {
  const int code = sqlite3_exec(db_.get(), script.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : failure(code);
}

Result<sqlite3_stmt*> Database::prepared(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second.get();
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(code);
  statements_[sql].reset(statement);
  return statement;
}

Status Database::step_all(sqlite3_stmt* statement, const std::function<Status(const Row&)>& each) {
  int code = sqlite3_step(statement);
  for (; code == SQLITE_ROW; code = sqlite3_step(statement)) PM_TRY(each(Row(statement)));
  return code == SQLITE_DONE ? Status() : failure(code);
}

int64_t Database::last_row_id() const { return sqlite3_last_insert_rowid(db_.get()); }

Status Database::failure(int code) const {
  const char* text = db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code);
  std::string sentence = fmt::format("store {}: {}", file_, text);
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return resource_exhausted(std::move(sentence));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return data_loss(std::move(sentence));
    default:
      return internal_error(std::move(sentence));
  }
}

void Database::bind(sqlite3_stmt* statement, int position, int64_t value) {
  sqlite3_bind_int64(statement, position, value);
}
void Database::bind(sqlite3_stmt* statement, int position, double value) {
  sqlite3_bind_double(statement, position, value);
}
void Database::bind(sqlite3_stmt* statement, int position, std::string_view value) {
  sqlite3_bind_text64(statement, position, value.data() == nullptr ? "" : value.data(),
                      value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
void Database::bind(sqlite3_stmt* statement, int position, Blob value) {
  const char* bytes = value.bytes.data() == nullptr ? "" : value.bytes.data();
  sqlite3_bind_blob64(statement, position, bytes, value.bytes.size(), SQLITE_TRANSIENT);
}

}  // namespace prefixmem::store
