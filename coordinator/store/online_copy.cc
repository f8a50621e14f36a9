#include "coordinator/store/online_copy.h"

#include <sqlite3.h>

#include <utility>

namespace prefixmem::store {

void OnlineCopy::Finish::operator()(sqlite3_backup* copy) const { sqlite3_backup_finish(copy); }

// A read transaction of its own fixes the moment: without one each commit would begin the copy
// anew.
Result<std::unique_ptr<OnlineCopy>> OnlineCopy::begin(const std::filesystem::path& from,
                                                      const std::filesystem::path& to) {
  PM_ASSIGN(Database source, Database::open(from, /*read_only=*/true));
  PM_TRY(source.execute("BEGIN; SELECT count(*) FROM sqlite_schema;"));
  PM_ASSIGN(Database target, Database::open(to));
  std::unique_ptr<OnlineCopy> copy(new OnlineCopy(std::move(source), std::move(target)));
  copy->copy_.reset(
      sqlite3_backup_init(copy->to_.db_.get(), "main", copy->from_.db_.get(), "main"));
  if (copy->copy_) return copy;
  return copy->to_.failure(sqlite3_errcode(copy->to_.db_.get()));
}

Result<bool> OnlineCopy::step(int pages) {
  const int code = sqlite3_backup_step(copy_.get(), pages);
  if (code == SQLITE_OK) return false;
  if (code != SQLITE_DONE) return to_.failure(code);
  const int finished = sqlite3_backup_finish(copy_.release());
  if (finished != SQLITE_OK) return to_.failure(finished);
  to_ = Database();
  return true;
}

int64_t OnlineCopy::pages() const { return copy_ ? sqlite3_backup_pagecount(copy_.get()) : 0; }
int64_t OnlineCopy::remaining() const { return copy_ ? sqlite3_backup_remaining(copy_.get()) : 0; }

}  // namespace prefixmem::store
