// A value put into the Tree of a spec at a dotted path: by the trials of a sweep and by
// `pmt submit --set`.
#pragma once

#include "common/spec/job_spec.h"
#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Sets the value at the path. Blocks that are not there are made, a union that stands as its tag
// alone becomes a block, and another `type` drops the keys beside it. INVALID_ARGUMENT with the
// path where it has an empty part, leads through a list or the value is no YAML. Does not ask
// whether the path is a key of the schema: reading the tree does.
Status apply_override(const Override& override, Tree& tree);

}  // namespace prefixmem::spec
