// A value put into the Tree of a spec at a dotted path: by the trials of a sweep and by
// `pmt submit --set`; and Trees put over one another.
#pragma once

#include "common/spec/job_spec.h"
#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Sets the value at the path. Blocks that are not there are made, a union that stands as its tag
// alone becomes a block, and another `type` drops the keys beside it. INVALID_ARGUMENT with the
// path where it has an empty part, leads through a list or the value is no YAML. Does not ask
// whether the path is a key of the schema: reading the tree does.
//
// A block at `benchmark` or `eval.benchmark` is a benchmark that `pmt submit` has looked up: its
// `name` stays there, the rest goes over the keys beside it.
Status apply_override(const Override& override, Tree& tree);

// Gives a map the entries that it lacks, in the maps of both likewise. A union of another `type`
// stays as it is.
void fill_in(const Tree& defaults, Tree& tree);

}  // namespace prefixmem::spec
