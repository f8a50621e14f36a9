#include "common/version.h"

namespace prefixmem {

std::string_view version() { return PREFIXMEM_VERSION; }

}  // namespace prefixmem
