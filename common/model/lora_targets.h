// Which linear modules of a model an update goes to: method.target_modules.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

#include "common/model/linear_site.h"
#include "common/status.h"

namespace prefixmem {

// By layer: the sites that are targets.
using LoraTargets = std::vector<std::bitset<kSites>>;

// Each entry is a name (letters, digits and underscores), which matches the last part of a module's
// name, or a regular expression (RE2's syntax), which matches the whole of it; or the only one is
// all-linear. INVALID_ARGUMENT where there is none, and by name where one matches no module or is
// no expression.
Result<LoraTargets> find_lora_targets(const std::vector<std::string>& entries, int64_t num_layers);

// Whether an entry is a name, no regular expression.
bool is_module_name(const std::string& entry);

// The entry that stands for one of PEFT's list, where any entry matches the last parts of a name.
std::string entry_of_peft(const std::string& entry);

// The target_modules under which PEFT finds the same modules: names of sites where all layers have
// the same ones, otherwise each module's whole name.
std::vector<std::string> peft_target_modules(const LoraTargets& targets);

}  // namespace prefixmem
