// The rules of a sweep that searches.
#pragma once

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::spec {

// Of a spec with sweep.space: each domain, the conditions, the search and the goal, and the trials
// at the ends of each domain as specs of their own, so that a key that no trial has is found before
// any has run. INVALID_ARGUMENT.
Status check_search(const JobSpec& spec);

// The goal as given, or as it follows from eval.mode.
GoalSpec goal_of(const JobSpec& spec);

}  // namespace prefixmem::spec
