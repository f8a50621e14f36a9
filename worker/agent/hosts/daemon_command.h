// The command line of Open MPI's daemon on a member's host. mpirun asks for it on the head's, so it
// comes over the wire: only arguments that are known, with values of their kind, are let through.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::agent {

// How mpirun calls the gang's host of that number, 0 being its own: names need not resolve.
std::string mpi_name(size_t host);

// "KEY=VALUE" for the environment of that member's daemon. Open MPI's PMIx tells hosts apart by
// their names, so that ranks of two workers on one host would be taken for a single worker's, with
// peers that they don't have.
std::string mpi_name_variable(size_t host);

// What mpirun hands to its remote shell after the host: orted and its arguments, quoted for a
// shell. FAILED_PRECONDITION where that is another program. Pure.
Result<std::vector<std::string>> daemon_arguments(const std::vector<std::string>& shell_words);

// `orted` with those arguments, its session folder below `run`. INVALID_ARGUMENT naming the first
// that is not allowed. Pure.
Result<std::vector<std::string>> daemon_command(const std::filesystem::path& orted,
                                                const std::vector<std::string>& arguments,
                                                const std::filesystem::path& run);

}  // namespace prefixmem::agent
