// JobSpec from and to a Tree, by the schema.
#pragma once

#include "common/spec/job_spec.h"
#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Unknown keys, wrong types and values out of range are INVALID_ARGUMENT with path, value and what
// is allowed. Checks no rule across fields.
Result<JobSpec> read_tree(const Tree& tree);

// Every key but absent optional ones.
Tree write_tree(const JobSpec& spec);

}  // namespace prefixmem::spec
