// Values for the scheduler's tests, and its answers as short text.
#pragma once

#include <string>
#include <vector>

#include "coordinator/scheduler/place.h"
#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

inline Worker worker(const std::string& id, int slots, Device device = Device::kCpu) {
  return {.id = id, .slots = slots, .device = device, .lost = false, .connected = true};
}

inline Job job(const std::string& id, int64_t order, int ranks = 1, Device device = Device::kAuto) {
  return {.id = id, .priority = 0, .order = order, .ranks = ranks, .device = device};
}

inline Job trial(const std::string& id, int64_t order, const std::string& bank, int ranks = 1) {
  Job one = job(id, order, ranks);
  one.bank = bank;
  return one;
}

// In a gang of its own where `gang` is empty.
inline Attempt placed(const Job& job, const std::string& worker_id, int attempt = 1,
                      const std::string& gang = "") {
  return {.job = job,
          .attempt = attempt,
          .worker_id = worker_id,
          .gang = gang.empty() ? job.id : gang,
          .stop = {}};
}

// {"job>worker", "job+job>worker", "job>worker in gang", …} in the order of the decisions.
inline std::vector<std::string> starts_of(const Placement& placement) {
  std::vector<std::string> texts;
  for (const Start& start : placement.starts) {
    std::string ids;
    for (const std::string& id : start.job_ids) ids += (ids.empty() ? "" : "+") + id;
    texts.push_back(ids + ">" + start.worker_id + (start.gang.empty() ? "" : " in " + start.gang));
  }
  return texts;
}

// {"job: reason", …}
inline std::vector<std::string> waits_of(const Placement& placement) {
  std::vector<std::string> texts;
  for (const Wait& wait : placement.waits) texts.push_back(wait.job_id + ": " + wait.reason);
  return texts;
}

// {"job+job for job", …}
inline std::vector<std::string> leaves_of(const Placement& placement) {
  std::vector<std::string> texts;
  for (const Leave& leave : placement.leaves) {
    std::string ids;
    for (const std::string& id : leave.job_ids) ids += (ids.empty() ? "" : "+") + id;
    texts.push_back(ids + " for " + leave.for_job);
  }
  return texts;
}

}  // namespace prefixmem::scheduler
