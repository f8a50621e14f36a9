#include "worker/trainer/train/agent_requests.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

// The number in {"trial": K}; negative for anything else.
int trial_of(const json& stop) {
  const bool whole = stop.is_object() && stop.size() == 1 && stop.contains("trial") &&
                     stop["trial"].is_number_unsigned();
  return whole ? stop["trial"].get<int>() : -1;
}

}  // namespace

Status AgentRequests::take_line(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  const bool one = object.is_object() && object.size() == 1;
  if (one && object.contains("stop") && trial_of(object["stop"]) >= 0) {
    stop(trial_of(object["stop"]));
    return {};
  }
  if (one && object.contains("join")) {
    PM_ASSIGN(TrialFiles files, trial_files(object["join"]));
    const MutexLock lock(mutex_);
    joining_.push_back(std::move(files));
    return {};
  }
  return invalid_argument("the agent sent " + std::string(line.substr(0, 80)) +
                          R"(; allowed: {"stop": {"trial": K}}, {"join": TRIAL}, {"where": {}})");
}

}  // namespace prefixmem::trainer
