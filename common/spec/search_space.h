// The space of a search: in which order its keys are decided, and which of them a trial sets.
#pragma once

#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::spec {

const Conditions& conditions_of(const Domain& domain);

// What a value (YAML) is called in a condition: itself, the type of a block, or the name of a
// benchmark that was looked up.
std::string value_name(const std::string& yaml);
// Whether `value` is called as one of `allowed`.
bool has_value(const std::vector<std::string>& allowed, const std::string& value);

// What a condition may name, for messages.
inline constexpr const char* kConditionKeys =
    "keys of sweep.space of type choice, of sweep.grid or of sweep.trials";

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
// Likewise, in which the first of `order` has its least or first value; of no keys, none.
Result<Setting> first_setting(const SearchSpace& space, const std::vector<std::string>& order);

}  // namespace prefixmem::spec
