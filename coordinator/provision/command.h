// Runs a program that answers on its standard output and ends.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/status.h"

namespace prefixmem::provision {

// What it wrote to its standard output, at most 16 MiB. argv[0] is found by $PATH; there is no
// shell. Of this process's environment it is given where programs and homes are (PATH, HOME, …) and
// what begins with SLURM_ or LC_: the rest may hold secrets, and Slurm hands on what it is given to
// what runs. UNAVAILABLE with what it said where it ends with another code than 0, or not in time,
// or `stop` is raised, after which it is killed; NOT_FOUND where there is no such program.
Result<std::string> run_command(const std::vector<std::string>& argv, Millis limit,
                                const std::stop_token& stop);

}  // namespace prefixmem::provision
