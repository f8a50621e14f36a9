#include "worker/agent/inputs/hub_allowance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "common/spec/utf8.h"

namespace prefixmem::agent {

Result<HubAllowance> HubAllowance::parse(const std::vector<std::string>& given) {
  for (const std::string& one : given) {
    const bool whole = one.find('/') != std::string::npos;
    const auto name = parse_hub_name(std::string(kHubScheme) + one + (whole ? "" : "/any"));
    if (name.ok() && one.find('@') == std::string::npos) continue;
    return invalid_argument(
        fmt::format("--hub-allow is \"{}\"; allowed: ORG or ORG/NAME", spec::shortened(one, 200)));
  }
  return HubAllowance(given);
}

Status HubAllowance::check(const HubName& name) const {
  if (given_.empty()) return {};
  for (const std::string& one : given_) {
    if (one == name.organisation() || one == name.repository) return {};
  }
  return invalid_argument(
      fmt::format("\"{}\" is not of what this worker fetches from the Hub; allowed: {}",
                  name.text(), fmt::join(given_, ", ")));
}

}  // namespace prefixmem::agent
