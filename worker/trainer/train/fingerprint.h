// What a run's bits depend on besides spec and data.
#pragma once

#include <string>

#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

// "AVX512 | AMD EPYC | torch 2.11.0 | 2 threads | 2 ranks": CPU instruction set and model or GPU
// model, library version, threads inside an operation, and ranks unless the bits are those of any
// number of them.
std::string machine_fingerprint(const Collective& gang, bool any_ranks);

}  // namespace prefixmem::trainer
