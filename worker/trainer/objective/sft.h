// Supervised fine-tuning: cross-entropy of the completion and eos, a mean over label tokens.
#pragma once

#include <memory>

#include "worker/trainer/objective/objective.h"

namespace prefixmem::trainer {

std::unique_ptr<Objective> make_sft();

}  // namespace prefixmem::trainer
