#include "coordinator/store/integrity.h"

#include <fmt/format.h>

#include <string>

namespace prefixmem::store {

Status check_integrity(Database& database, const std::filesystem::path& file) {
  std::string found;
  Status read = database.query(
      [&](const Row& row) {
        found = row.text(0);
        return Status();
      },
      "PRAGMA integrity_check(1)");
  if (read.ok() && found == "ok") return {};
  if (!read.ok() && read.code() != Code::kDataLoss) return read;
  return data_loss(
      fmt::format("{} is damaged ({}); put a backup in its place with pmt admin restore BACKUP "
                  "--data-dir {}",
                  file.string(), read.ok() ? found : read.message(), file.parent_path().string()));
}

}  // namespace prefixmem::store
