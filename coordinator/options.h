// The command line of pmt-coordinator.
#pragma once

#include <optional>

#include "coordinator/first_token.h"
#include "coordinator/restore.h"
#include "coordinator/service.h"

namespace prefixmem {

// None of the three: the program is to exit with `exit_code` (0 after --help or --version, 2 for a
// wrong line); what there was to say has been printed.
struct ParsedOptions {
  std::optional<ServiceOptions> options = {};
  std::optional<TokenOptions> token = {};  // to make a token instead of serving
  std::optional<RestoreOptions> restore = {};
  int exit_code = 0;
};
ParsedOptions parse_options(int argc, char** argv);

}  // namespace prefixmem
