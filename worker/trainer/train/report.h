// How a failure is told.
#pragma once

#include "common/event/event.h"
#include "worker/trainer/train/event_sink.h"

namespace prefixmem::trainer {

// On stderr for people, through the sink (where it is not null) for the agent. `alone`: what failed
// on this rank and on no other.
void report_failure(EventSink* sink, int trial, const FailureEvent& failure, bool alone);

}  // namespace prefixmem::trainer
