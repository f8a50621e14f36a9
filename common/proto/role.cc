#include "common/proto/role.h"

#include <array>

#include "common/proto/value_name.h"

namespace prefixmem {
namespace {

constexpr std::array kRoles = {v1::ROLE_VIEWER, v1::ROLE_SUBMITTER, v1::ROLE_ADMIN};

}  // namespace

std::string role_name(v1::Role role) {
  if (!v1::Role_IsValid(role)) return "role " + std::to_string(role);
  return value_name(v1::Role_Name(role), "ROLE_");
}

std::vector<std::string> role_names() {
  std::vector<std::string> names;
  names.reserve(kRoles.size());
  for (const v1::Role role : kRoles) names.push_back(role_name(role));
  return names;
}

std::optional<v1::Role> role_from_name(const std::string& name) {
  for (const v1::Role role : kRoles) {
    if (role_name(role) == name) return role;
  }
  return std::nullopt;
}

}  // namespace prefixmem
