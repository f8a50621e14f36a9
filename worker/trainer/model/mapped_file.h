// A file's bytes, read in place.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "common/status.h"

namespace prefixmem::trainer {

// Read-only memory that must not be written; the file must not be cut while `owner` lives.
struct MappedFile {
  std::shared_ptr<const void> owner;
  std::string_view bytes;
};

// Errors, each with the path: NOT_FOUND, FAILED_PRECONDITION (no regular file).
Result<MappedFile> map_file(const std::filesystem::path& file);

}  // namespace prefixmem::trainer
