// The little of SQLite that the store needs: one connection, prepared statements by their text,
// values bound by type, failures as Status.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace prefixmem::store {

struct Blob {
  std::string_view bytes;
};

// The current row of a query; valid inside the callback only.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;  // of text and blobs; empty for NULL

 private:
  sqlite3_stmt* statement_;
};

// Not thread-safe.
class Database {
 public:
  // Creates the file where missing. `read_only` needs it to exist.
  static Result<Database> open(const std::filesystem::path& file, bool read_only = false);

  // Statements without parameters or results, separated by semicolons.
  Status execute(const std::string& script);

  // `sql` must live for ever (a literal): its prepared statement is kept under its text.
  template <class... Values>
  Status run(std::string_view sql, const Values&... values) {
    return query([](const Row&) { return Status(); }, sql, values...);
  }
  // Calls `each` for every row; a failure it returns ends the query.
  template <class... Values>
  Status query(const std::function<Status(const Row&)>& each, std::string_view sql,
               const Values&... values) {
    PM_ASSIGN(sqlite3_stmt * statement, prepared(sql));
    const Reset reset{statement};
    int position = 0;
    (bind(statement, ++position, values), ...);
    return step_all(statement, each);
  }

  int64_t last_row_id() const;

 private:
  friend class OnlineCopy;
  struct Close {
    void operator()(sqlite3* db) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset();
  };

  Result<sqlite3_stmt*> prepared(std::string_view sql);
  Status step_all(sqlite3_stmt* statement, const std::function<Status(const Row&)>& each);
  Status failure(int code) const;

  static void bind(sqlite3_stmt* statement, int position, int64_t value);
  static void bind(sqlite3_stmt* statement, int position, int value) {
    bind(statement, position, int64_t{value});
  }
  static void bind(sqlite3_stmt* statement, int position, double value);
  static void bind(sqlite3_stmt* statement, int position, std::string_view value);
  static void bind(sqlite3_stmt* statement, int position, Blob value);

  std::string file_;
  std::unique_ptr<sqlite3, Close> db_;
  std::map<std::string_view, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

}  // namespace prefixmem::store
