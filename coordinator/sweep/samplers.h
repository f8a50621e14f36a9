// Which setting a sweep tries next.
#pragma once

#include <optional>
#include <string>

#include "coordinator/sweep/draws.h"
#include "coordinator/sweep/history.h"
#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {

// Setting `index` (from 0) of all combinations, the last key decided changing fastest; none where
// there are fewer. Of spaces of choices and whole numbers. Pure.
std::optional<Setting> grid_setting(const Plan& plan, int64_t index);

// Independent of all other trials: each key by its domain. Pure but for `draws`.
Setting random_setting(const Plan& plan, Draws& draws);

// Tree-structured Parzen estimator (Bergstra et al. 2011): the trials are split into the best tenth
// (at most 25) and the rest; of settings drawn from the density of the first, the one for which it
// exceeds the density of the rest most. Keys decided under the same conditions are modelled
// together. Trials that are open count among the rest, so that parallel trials keep apart; stopped
// ones rank behind finished ones, by how far they came. One setting in ten is drawn at random:
// where a choice has looked bad early, the model alone would not come back to it. Pure but for
// `draws`.
Setting tpe_setting(const Plan& plan, const TpeSearch& tpe, const History& history, Draws& draws);

// A value of a domain. Pure but for `draws`.
std::string random_value(const Domain& domain, Draws& draws);

// What the plan's search chooses for trial `number`; none where a grid has no more. Of pbt
// that of a member's beginning; pbt.h has the others. Pure.
std::optional<Setting> next_setting(const Plan& plan, const History& history, int number);

}  // namespace prefixmem::sweep
