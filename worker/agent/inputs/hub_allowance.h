// Which models of the Hub jobs of this worker may have.
#pragma once

#include <string>
#include <vector>

#include "common/content/hub_name.h"
#include "common/status.h"

namespace prefixmem::agent {

// Thread-safe.
class HubAllowance {
 public:
  // Any.
  HubAllowance() = default;
  // "ORG" or "ORG/NAME" each; none: any. INVALID_ARGUMENT naming --hub-allow.
  static Result<HubAllowance> parse(const std::vector<std::string>& given);

  // INVALID_ARGUMENT with what is allowed.
  Status check(const HubName& name) const;

 private:
  explicit HubAllowance(std::vector<std::string> given) : given_(std::move(given)) {}

  std::vector<std::string> given_;
};

}  // namespace prefixmem::agent
