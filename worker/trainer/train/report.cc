#include "worker/trainer/train/report.h"

#include <cstdio>
#include <string>

namespace prefixmem::trainer {

void report_failure(EventSink* sink, int trial, const FailureEvent& failure, bool alone) {
  std::string who;
  if (trial != TrialEvent::kWholeGang) who += "trial " + std::to_string(trial) + ": ";
  if (alone) who += "rank " + std::to_string(failure.rank) + ": ";
  std::fprintf(stderr, "pmt-trainer: %s%s\n", who.c_str(), failure.status.message().c_str());
  if (sink == nullptr) return;
  const Status sent = sink->emit({trial, failure});
  if (!sent.ok()) std::fprintf(stderr, "pmt-trainer: %s\n", sent.message().c_str());
}

}  // namespace prefixmem::trainer
