// Why a gang ended, in one sentence.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/agent/gang/launcher.h"

namespace prefixmem::agent {

// What was seen of a gang that is gone.
struct GangEnd {
  Status trouble;                       // the agent could not start or serve it
  ProcessExit exit;                     // of mpirun: 128 + signal where a rank was killed by one
  std::optional<FailureEvent> failure;  // the first that a rank reported
  std::optional<int> first_lost_rank;   // the first whose socket closed
  bool failed_before_loss = false;      // `failure` came while every rank was still there
  bool killed_here = false;             // mpirun still ran when the agent killed the gang
  bool memory_ran_out = false;
  int64_t largest_bytes = 0;       // that one of its processes held when they were looked at last
  std::string hang;                // who kept the others waiting when it ended; empty: nobody
  std::deque<std::string> output;  // last lines of stderr
  std::string output_tail;         // the same as text
};

// OK for exit code 0. Otherwise, in this order: trouble of the agent's own; a signal, unless a
// failure was reported before any rank was lost (RESOURCE_EXHAUSTED where memory ran out,
// UNAVAILABLE where somebody must have sent it, else INTERNAL, all naming rank and signal); the
// failure reported; the exit code with the last line of stderr. Where a collective call hung, a
// failure of code UNAVAILABLE says who was missing in it. A gang that says it was cancelled though
// nobody here asked is UNAVAILABLE. Pure.
Status explain_end(const GangEnd& end);

// "rank 3 … signal 9" from mpirun's own message, where there is one.
struct KilledRank {
  int rank;
  int signal;
};
std::optional<KilledRank> killed_rank(const std::deque<std::string>& output);

// The last line that is neither empty nor part of one of mpirun's framed notices; empty: none.
std::string last_words(const std::deque<std::string>& output);

}  // namespace prefixmem::agent
