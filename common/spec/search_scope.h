// What a sweep searches for apart from what: the combinations of its grid and trials.
#pragma once

#include <cstddef>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::spec {

// Each entry of sweep.trials (or one empty entry) with every combination of the grid; of a sweep
// that has neither the empty one. Dotted path → YAML. INVALID_ARGUMENT: a key given twice, an empty
// axis, more than 10,000 combinations.
Result<std::vector<Setting>> combinations_of(const SweepSpec& sweep);

// That what sweep.seeds and sweep.test set is set by nothing else in the sweep.
Status check_seeds(const SweepSpec& sweep, const std::vector<Setting>& combinations);

// All that a search sets in a trial. With sweep.test it is compared by validation rows, and the
// setting found is scored on test rows.
Setting whole_setting(const SweepSpec& sweep, const Setting& combination, const Setting& chosen,
                      bool test);

// Combinations, as indices, for which one setting is looked for.
struct Scope {
  std::vector<size_t> combinations;
  std::vector<size_t> tuned_on;  // those on which settings are tried
  // The keys of sweep.space that are set there, without the conditions that these combinations
  // meet. Empty: there is nothing to look for.
  SearchSpace space;
};

// In the order of their first combinations: one each, or with sweep.tune_on one for all that differ
// in its axes alone. INVALID_ARGUMENT: a key of the space that a combination sets too; what tune_on
// names is no axis of the grid or no value of it, or is a condition of the space.
Result<std::vector<Scope>> scopes_of(const SweepSpec& sweep,
                                     const std::vector<Setting>& combinations);

}  // namespace prefixmem::spec
