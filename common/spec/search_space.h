// The space of a search: in which order its keys are decided, and which of them a trial sets.
#pragma once

#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::spec {

const Conditions& conditions_of(const Domain& domain);

// Every path of the space, each after those that its `when` names, otherwise sorted.
// INVALID_ARGUMENT where a condition names no choice of the space, none of its values, or leads
// back to its own key.
Result<std::vector<std::string>> decision_order(const SearchSpace& space);

// Whether the key is to be set in a trial whose earlier keys are in `setting`.
bool is_active(const Domain& domain, const Setting& setting);

// The least and the greatest value, or all of a choice.
std::vector<std::string> outer_values(const Domain& domain);

// A setting in which `path` is `value` and each other key its first value that lets it be.
// INVALID_ARGUMENT where the conditions allow none. `order` is the space's decision_order.
Result<Setting> setting_with(const SearchSpace& space, const std::vector<std::string>& order,
                             const std::string& path, const std::string& value);

}  // namespace prefixmem::spec
