// The agent's own words from and to the messages of WorkerService.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "prefixmem/v1/worker_service.pb.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/attempt/attempt.h"

namespace prefixmem::agent {

// Who this worker is.
struct WorkerCard {
  std::string id, host, device;
  int slots = 1;
  std::vector<std::string> device_names;
  std::string metrics_address;
};

// `known`: how long each attempt has been here.
v1::WorkerMessage register_message(const WorkerCard& card,
                                   const std::map<AttemptKey, Millis>& known);
v1::WorkerMessage heartbeat_message(WallTime now, const std::vector<AttemptKey>& running,
                                    bool draining);
v1::WorkerMessage report_message(const AttemptReport& report);

AttemptKey key_of(const v1::AttemptId& id);
// None: as long as the worker itself gives a cancel.
std::optional<Millis> grace_of(const v1::Cancel& cancel);
GangAssignment assignment_of(const v1::Assign& assign);

}  // namespace prefixmem::agent
