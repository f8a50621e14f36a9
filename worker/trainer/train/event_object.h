// An event's keys as a JSON object, for the files that people read.
#pragma once

#include <nlohmann/json.hpp>

#include "common/event/event.h"

namespace prefixmem::trainer {

// The body of to_json_line(event).
inline nlohmann::ordered_json event_object(const Event& event) {
  return nlohmann::ordered_json::parse(to_json_line(event)).begin().value();
}

}  // namespace prefixmem::trainer
