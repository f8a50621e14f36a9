#include "common/version.h"

namespace prefixmem {

[[gnu::weak]] std::string_view version() { return PREFIXMEM_VERSION; }

}  // namespace prefixmem
