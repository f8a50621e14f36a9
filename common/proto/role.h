// What a token may say: the role of its owner, by name, and for how long it counts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "prefixmem/v1/admin_service.pb.h"

namespace prefixmem {

inline constexpr int kMostTokenDays = 3650;

// "viewer"; "role 42" for one that this version does not know
std::string role_name(v1::Role role);
// The roles that a token may have: viewer, submitter, admin.
std::vector<std::string> role_names();
// None: no role has that name.
std::optional<v1::Role> role_from_name(const std::string& name);

}  // namespace prefixmem
