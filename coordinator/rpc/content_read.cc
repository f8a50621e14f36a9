#include "coordinator/rpc/content_read.h"

#include <fmt/format.h>

#include "common/sha256.h"
#include "common/spec/utf8.h"

namespace prefixmem::rpc {

Status check_digest(const std::string& sha256) {
  if (is_sha256(sha256)) return {};
  return invalid_argument(fmt::format("sha256 is \"{}\"; allowed: 64 lower-case hexadecimal digits",
                                      spec::shortened(sha256, 80)));
}

Result<std::unique_ptr<store::BlobReader>> open_content(Coordinator& coordinator,
                                                        const std::string& sha256, int64_t offset) {
  PM_TRY(check_digest(sha256));
  PM_ASSIGN(const auto bytes, coordinator.reader().content_bytes(sha256));
  if (!bytes) return not_found("there is no content with sha256 " + sha256);
  if (offset < 0 || offset > *bytes) {
    return invalid_argument(
        fmt::format("offset is {}; allowed: from 0 to {}, the size of {}", offset, *bytes, sha256));
  }
  return coordinator.blobs().read(sha256, offset);
}

}  // namespace prefixmem::rpc
