#include "common/disk_space.h"

namespace prefixmem {

Result<DiskSpace> disk_space(const std::filesystem::path& path) {
  std::error_code error;
  const auto space = std::filesystem::space(path, error);
  if (error) return from_errno("asking for the room at " + path.string(), error.value());
  return DiskSpace{static_cast<int64_t>(space.available), static_cast<int64_t>(space.capacity)};
}

}  // namespace prefixmem
