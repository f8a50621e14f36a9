// pmt-adapter, which knows models and weights, as a part of pmt.
#pragma once

#include <string>
#include <vector>

#include "client/session.h"

namespace prefixmem::client {

// Runs pmt-adapter, found beside this program, with these arguments, on this process's stdout and
// stderr. Returns its exit code; NOT_FOUND where it is not installed.
Result<int> run_adapter_tool(const std::vector<std::string>& arguments);

}  // namespace prefixmem::client
