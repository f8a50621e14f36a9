// What the trainer needs of one attempt on a host that it has ranks on.
#pragma once

#include <stop_token>
#include <vector>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/agent/attempt/assignment.h"
#include "worker/agent/attempt/attempt_folder.h"
#include "worker/agent/attempt/attempt_world.h"

namespace prefixmem::agent {

struct TrialSetup {
  AttemptFolder folder;
  LocalSpec spec;
  LocalInputs inputs;              // stay at hand as long as this lives
  std::vector<LogEvent> warnings;  // for the job's log

  TrialFiles files() const { return {folder.spec(), folder.portable(), folder.out()}; }
};

// Makes the folder, fetches what the spec names, and the checkpoint and metrics to go on from. Of
// damaged checkpoints the one before is taken; with none the job begins at the beginning, and comes
// to the same result. Waits for a coordinator that is away; CANCELLED once `stop` is raised. Leaves
// no folder behind where it fails.
Result<TrialSetup> set_up_trial(const Assignment& assignment, const AttemptWorld& world,
                                const std::stop_token& stop);

}  // namespace prefixmem::agent
