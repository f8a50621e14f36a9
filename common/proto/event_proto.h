// Trainer events from and to their Protobuf form, by the same description as JSON.
#pragma once

#include "common/event/event.h"
#include "common/status.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem {

v1::TrainerEvent event_to_proto(const Event& event);
// INVALID_ARGUMENT where no event is set or an enumerated value is none of the allowed ones.
Result<Event> event_from_proto(const v1::TrainerEvent& message);

}  // namespace prefixmem
