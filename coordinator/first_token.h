// A token from nobody: made on the coordinator's host, while no coordinator runs.
#pragma once

#include <filesystem>

#include "common/status.h"
#include "prefixmem/v1/admin_service.pb.h"

namespace prefixmem {

struct TokenOptions {
  std::filesystem::path data_dir;
  v1::CreateTokenRequest request;
};

// Puts it into the store and its secret on stdout. FAILED_PRECONDITION where a coordinator has the
// store open: ask that one (pmt admin tokens create).
Status make_first_token(const TokenOptions& options);

}  // namespace prefixmem
