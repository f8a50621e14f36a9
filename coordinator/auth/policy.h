// Who may call what: one table for all methods of the gRPC port.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "prefixmem/v1/admin_service.pb.h"

namespace prefixmem::auth {

// What a caller must be. Of the roles of users each may do what the one before it may.
enum class Access {
  kAnyone,
  kViewer,
  kSubmitter,
  kAdmin,
  kWorker,  // shows a certificate of a worker
};

struct MethodPolicy {
  std::string_view method;  // "prefixmem.v1.JobService/GetJob"
  Access access;
  bool changes;  // something, or gives away all there is: the audit log has a line of each call
};

// All methods that there are; a method that is not here is nobody's.
const std::vector<MethodPolicy>& policies();
std::optional<MethodPolicy> policy_of(std::string_view method);

bool allows(v1::Role role, Access access);
std::string_view needed(Access access);  // "submitter or admin"
// The sentence for who may not: "token … (alice) has the role viewer; METHOD needs submitter or
// admin".
std::string refusal(const v1::Token& token, std::string_view what, Access access);

}  // namespace prefixmem::auth
