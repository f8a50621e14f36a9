// Programs beside pmt that do what it cannot: they see models, or the coordinator's disk.
#pragma once

#include <string>
#include <vector>

#include "client/session.h"

namespace prefixmem::client {

struct Tool {
  std::string name;
  std::string comes_with;  // for the sentence that says that it is not there
};

inline const Tool kAdapterTool{"pmt-adapter", "the trainer"};
inline const Tool kCoordinatorTool{"pmt-coordinator", "the coordinator"};

// Runs it, found beside this program, with these arguments, on this process's stdout and stderr.
// Returns its exit code; NOT_FOUND where it is not installed.
Result<int> run_tool(const Tool& tool, const std::vector<std::string>& arguments);

}  // namespace prefixmem::client
