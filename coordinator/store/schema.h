// The tables and their version.
#pragma once

#include "common/status.h"
#include "coordinator/store/sqlite.h"

namespace prefixmem::store {

inline constexpr int kSchemaVersion = 13;

// Sets the connection up for durable writing and brings the tables to kSchemaVersion.
// INVALID_ARGUMENT for a store of a newer version, which this program will never read,
// FAILED_PRECONDITION where the file system allows no WAL.
Status prepare_schema(Database& database);

}  // namespace prefixmem::store
