#include "worker/trainer/train/trial_stops.h"

#include <nlohmann/json.hpp>
#include <string>

namespace prefixmem::trainer {

Status TrialStops::take_line(std::string_view line) {
  using nlohmann::json;
  const json object = json::parse(line, nullptr, false);
  const auto* const stop = object.is_object() && object.size() == 1 && object.contains("stop")
                               ? &object["stop"]
                               : nullptr;
  if (stop != nullptr && stop->is_object() && stop->size() == 1 && stop->contains("trial") &&
      (*stop)["trial"].is_number_unsigned()) {
    request((*stop)["trial"].get<int>());
    return {};
  }
  return invalid_argument("the agent sent " + std::string(line.substr(0, 80)) +
                          R"(; allowed: {"stop": {"trial": K}} or {"where": {}})");
}

}  // namespace prefixmem::trainer
