// How much room a file system has.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/status.h"

namespace prefixmem {

struct DiskSpace {
  int64_t free_bytes = 0;  // to an ordinary user
  int64_t size_bytes = 0;
};

// Of the file system where `path` lies.
Result<DiskSpace> disk_space(const std::filesystem::path& path);

}  // namespace prefixmem
