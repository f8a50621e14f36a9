// Small questions about a sweep and its trials.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "prefixmem/v1/job.pb.h"
#include "prefixmem/v1/sweep.pb.h"

namespace prefixmem {

// What the reason of a trial begins with that its sweep has stopped.
inline constexpr std::string_view kStoppedBySweep = "stopped by its sweep: ";

inline bool has_ended(v1::SweepState state) { return state != v1::SWEEP_STATE_RUNNING; }

// "running"; "state 42" for one that this version does not know
std::string state_name(v1::SweepState state);

// Counts `trials` more whose jobs are in that state.
void add_to(v1::TrialCounts& counts, v1::JobState state, int trials);

// What the sweep has set in a trial, by path, from the labels that say so; empty outside a sweep.
std::map<std::string, std::string> sweep_settings(const v1::JobSpec& trial);

}  // namespace prefixmem
