// Whether SQLite can trust its own file.
#pragma once

#include <filesystem>

#include "common/status.h"
#include "coordinator/store/sqlite.h"

namespace prefixmem::store {

// Reads all of it. DATA_LOSS with one sentence that names the file, the first thing found and how
// to restore a backup.
Status check_integrity(Database& database, const std::filesystem::path& file);

}  // namespace prefixmem::store
