// The rules among the keys of `method`.
#pragma once

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::spec {

// INVALID_ARGUMENT with the key's path, its value and what is allowed.
Status check_method(const MethodSpec& method);

}  // namespace prefixmem::spec
