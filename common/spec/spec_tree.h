// JobSpec from and to a Tree, by the schema.
#pragma once

#include "common/spec/job_spec.h"
#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Unknown keys, wrong types and values out of range are INVALID_ARGUMENT with path, value and what
// is allowed. Checks no rule across fields.
Result<JobSpec> read_tree(const Tree& tree);

// read_tree and validate. A sentence is at most kMaxSentence bytes long, as gRPC carries it in a
// header.
Result<JobSpec> read_valid(const Tree& tree);
inline constexpr size_t kMaxSentence = 1000;

// Every key but absent optional ones.
Tree write_tree(const JobSpec& spec);

}  // namespace prefixmem::spec
