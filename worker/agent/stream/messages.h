// The agent's own words from and to the messages of WorkerService.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "prefixmem/v1/worker_service.pb.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/attempt/attempt.h"
#include "worker/agent/hosts/note.h"

namespace prefixmem::agent {

// Who this worker is.
struct WorkerCard {
  std::string id, host, device;
  int slots = 1;
  std::vector<std::string> device_names;
  std::string metrics_address;
  std::string allocation = {};  // of a batch system; empty: none
  int64_t memory = 0;           // bytes for jobs; 0: not known
  int64_t gpu_memory = 0;       // of the smallest GPU; 0: none, or not known
};

// Whether it takes further attempts, as heartbeats tell.
struct Readiness {
  bool draining = false;       // it shuts down
  std::string unhealthy = {};  // why it takes none for now, one sentence; empty: it does

  bool operator==(const Readiness&) const = default;
};

// `known`: how long each attempt has been here. `members`: attempts of whose gangs this worker is
// a member.
v1::WorkerMessage register_message(const WorkerCard& card,
                                   const std::map<AttemptKey, Millis>& known,
                                   const std::vector<AttemptKey>& members,
                                   const std::string& unhealthy);
v1::WorkerMessage heartbeat_message(WallTime now, const std::vector<AttemptKey>& running,
                                    const Readiness& readiness);
v1::WorkerMessage report_message(const AttemptReport& report);
v1::WorkerMessage note_message(const Note& note);

AttemptKey key_of(const v1::AttemptId& id);
// None: as long as the worker itself gives a cancel.
std::optional<Millis> grace_of(const v1::Cancel& cancel);
// As worker `id` has to see it. INVALID_ARGUMENT where its hosts have no part for that one.
Result<GangAssignment> assignment_of(const v1::Assign& assign, const std::string& id);
Note note_of(const v1::GangNote& note);

}  // namespace prefixmem::agent
