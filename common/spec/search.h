// The rules of a sweep that searches.
#pragma once

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::spec {

// Of a spec with sweep.space: each domain, the conditions, the search and the goal, and of every
// search the trials at the ends of each domain as specs of their own, so that a key that no trial
// has is found before any has run. INVALID_ARGUMENT.
Status check_search(const JobSpec& spec);

// Whether it stops trials before their end, by their evaluations.
bool stops_early(const SearchSpec& search);

// The goal as the sweep gives it, or as it follows from the trial's eval.
GoalSpec trial_goal(const SweepSpec& sweep, const JobSpec& trial);

}  // namespace prefixmem::spec
