// A diagnosis as the JSON that pmt and programs read; docs/diagnostics.md describes it.
#pragma once

#include <string>

#include "worker/trainer/diagnosis/diagnosis.h"

namespace prefixmem::trainer {

// Ends in a line break. What is not finite is null; what has to do with a prefix is left out where
// there is none.
std::string diagnosis_json(const Diagnosis& diagnosis);

}  // namespace prefixmem::trainer
