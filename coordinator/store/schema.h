// The tables and their version.
#pragma once

#include "common/status.h"
#include "coordinator/store/sqlite.h"

namespace prefixmem::store {

inline constexpr int kSchemaVersion = 13;

// Sets the connection up for durable writing and brings the tables to kSchemaVersion.
// FAILED_PRECONDITION for a store of a newer version and where the file system allows no WAL.
Status prepare_schema(Database& database);

}  // namespace prefixmem::store
