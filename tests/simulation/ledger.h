// What everybody outside the coordinator knows: what was asked, answered, told and acknowledged.
// The invariants hold the coordinator to it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace prefixmem::simulation {

using AttemptKey = std::pair<std::string, int>;  // job id, attempt

// By the worker that runs it.
struct AttemptFacts {
  std::string worker = {};
  std::vector<std::string> told = {};  // each event that could be told, serialized; from number 1
  int64_t acknowledged = 0;            // so many of them, while it was current
  std::string failure = {};            // the code of what befell it; empty: nothing did
  std::string end = {};                // the code that it told; empty: none
};

struct JobFacts {
  bool cancel_asked = false;
  bool cancel_granted = false;  // answered with OK
  int64_t pin_call = 0;         // that is under way, by its number; 0: none
  std::optional<bool> pinned =
      false;  // by the last call that was answered; absent: one is under way
};

struct SubmissionFacts {
  std::string key = {};  // of idempotency
  std::string tenant = {};
  bool accepted = false;
  std::string sweep_id = {};
  std::vector<std::string> job_ids = {};
  int64_t removal_call = 0;    // that is under way, by its number; 0: none
  bool files_asked = false;    // to be removed
  bool removal_asked = false;  // of all that it has made
  bool removed = false;        // all of it, by what the coordinator has said
};

struct SweepFacts {
  bool cancel_asked = false;
};

struct WorkerFacts {
  int slots = 0;
  int64_t operator_call = 0;          // that is under way, by its number; 0: none
  std::optional<bool> cordoned = {};  // by the last call that was answered
};

struct Ledger {
  std::map<AttemptKey, AttemptFacts> attempts;
  std::map<std::string, JobFacts> jobs;
  std::map<std::string, SweepFacts> sweeps;
  std::map<std::string, WorkerFacts> workers;
  std::vector<SubmissionFacts> submissions;
  int open_calls = 0;  // of clients

  // Of the scenario.
  int64_t faults = 0, crashes = 0, jobs_ended = 0;
};

}  // namespace prefixmem::simulation
