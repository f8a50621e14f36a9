#include "common/version.h"

namespace prefixmem {

[[gnu::weak]] const char* build_version() { return PREFIXMEM_VERSION; }

std::string_view version() { return build_version(); }

}  // namespace prefixmem
