// The command line.
#pragma once

#include "client/session.h"

namespace prefixmem::client {

// Parses, runs the command and returns the exit code (exit_codes.h). A failure is one sentence on
// stderr. Throws nothing.
int run_pmt(int argc, const char* const* argv, Environment& environment);

}  // namespace prefixmem::client
