// Population based training (Jaderberg et al. 2017, arXiv 1711.09846): members train side by side;
// at intervals the worst go on from the checkpoints of the best, with settings near theirs.
#pragma once

#include <cstdint>
#include <optional>

#include "coordinator/sweep/history.h"
#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {

// A member's next job: a generation. Each is a candidate of its own, so that candidate k is
// generation (k - 1) / members of member (k - 1) % members + 1.
struct Generation {
  int member = 1;  // from 1
  int parent = 0;  // candidate whose checkpoint it goes on from; 0: it begins
  Setting setting = {};
};

// Candidate `number`; none: it is beyond the last generation, or the generation before has members
// that have not ended or none that has a score. Of a generation that has ended, sorted by score,
// the last `quantile` and all without a score take over from members drawn from the first
// `quantile`; the others go on from themselves, with their settings. Generations are whole before
// the next begins: which members take over follows from the scores alone, whatever came first.
// Pure.
std::optional<Generation> next_generation(const Plan& plan, const PbtSearch& pbt,
                                          const History& history, int number);

// Whether nobody is left to go on from, though generations are to come. Pure.
bool died_out(const Plan& plan, const History& history);

// Step up to which a candidate trains; none where that is the trial's own end. Pure.
std::optional<int64_t> last_step(const Plan& plan, int candidate);

}  // namespace prefixmem::sweep
