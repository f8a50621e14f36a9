#include "common/persistent_id.h"

#include "common/files.h"
#include "common/id.h"

namespace prefixmem {

Result<std::string> persistent_id(const std::filesystem::path& file, std::string_view prefix) {
  auto known = read_file(file, 256);
  if (known.ok()) {
    std::string id = *known;
    while (!id.empty() && id.back() == '\n') id.pop_back();
    if (!id.empty()) return id;
  } else if (known.status().code() != Code::kNotFound) {
    return known.status();
  }
  const std::string id = new_id(prefix);
  PM_TRY(write_file_atomic(file, id + "\n"));
  return id;
}

}  // namespace prefixmem
