// What a trainer's event changes in the newest figures of its job.
#pragma once

#include <cstdint>
#include <string>

#include "common/clock.h"
#include "coordinator/store/records.h"

namespace prefixmem {

// Updates record.job.progress and the sums behind its ETA; `now` is the coordinator's time. Pure
// but for `record`. A repeated evaluation (after a retry) replaces the earlier one of its step,
// and tokens of a step that is done again count once.
void apply_to_progress(const v1::TrainerEvent& event, WallTime now, store::JobRecord& record);

// The digest of the state in a checkpoint of that step; of one before the newest, which may come
// late, it is not the job's. Whether that changes anything.
bool set_state(int64_t step, const std::string& digest, v1::Job& job);

}  // namespace prefixmem
