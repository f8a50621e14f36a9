// Objectives on pairs of a chosen and a rejected answer, each a mean over pairs.
#pragma once

#include <memory>

#include "worker/trainer/objective/objective.h"

namespace prefixmem::trainer {

// m = (log pi - log ref)(chosen) - (log pi - log ref)(rejected).
// sigmoid, arXiv 2305.18290: -(1 - s) log sigmoid(beta m) - s log sigmoid(-beta m), s label
// smoothing. ipo, arXiv 2310.12036, equation 17: (m - 1 / (2 beta))^2, each log-ratio a mean over
// the answer's tokens.
std::unique_ptr<Objective> make_dpo(const DpoObjective& spec);

// arXiv 2405.14734: -log sigmoid(beta m - gamma), m the difference of the answers' mean
// log-probabilities a token.
std::unique_ptr<Objective> make_simpo(const SimpoObjective& spec);

}  // namespace prefixmem::trainer
