#include "coordinator/core/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/proto/memory_proto.h"
#include "common/proto/spec_proto.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/scheduler/reasons.h"

namespace prefixmem {
namespace {

bool fits(const scheduler::Job& job, const std::vector<scheduler::Room>& rooms) {
  return std::any_of(rooms.begin(), rooms.end(),
                     [&](const scheduler::Room& room) { return could_ever_hold(room, job); });
}

// With the fewest ranks that will do.
bool fit_together(const scheduler::Job& job, const std::vector<scheduler::Room>& rooms) {
  const auto pools = pools_of(rooms, job);
  return std::any_of(pools.begin(), pools.end(),
                     [&](const scheduler::Pool& pool) { return ranks_in(pool, job) >= job.least; });
}

}  // namespace

std::shared_ptr<const ModelConfig> find_model(const std::string& name, const ToldModels& told,
                                              ModelConfigs& models) {
  if (auto known = models.known(name)) return known;
  const auto found = told.find(name);
  if (found == told.end()) return nullptr;
  return {found->second, &found->second->config};
}

void predict_memory(std::vector<LiveJob>& jobs, const scheduler::Config& config,
                    const ToldModels& told, ModelConfigs& models) {
  for (LiveJob& job : jobs) {
    v1::Job& shown = job.record.job;
    const auto model = find_model(shown.spec().model(), told, models);
    if (!model) continue;
    const auto spec = job_spec_from_proto(shown.spec());
    if (!spec.ok()) continue;
    // What does not fit the model is the trainer's to refuse.
    const auto placed = memory::placed(*spec, *model, may_share(job.record, config));
    if (placed.ok()) *shown.mutable_memory() = to_proto(*placed);
  }
}

Status Coordinator::check_memory(const std::vector<LiveJob>& jobs, const ToldModels& told) {
  const bool known = std::any_of(jobs.begin(), jobs.end(),
                                 [](const LiveJob& job) { return job.record.job.has_memory(); });
  if (!known || config_.brings_workers) return {};
  auto workers = workers_of(live_).workers;
  for (scheduler::Worker& worker : workers) worker.lost = false;  // it may come back
  const auto rooms = scheduler::rooms_of(
      workers, [](const scheduler::Worker&) { return scheduler::RunningGangs(); });
  std::set<std::pair<Device, scheduler::Memory>> seen;
  for (const LiveJob& job : jobs) {
    if (!job.record.job.has_memory()) continue;
    scheduler::Job waits = waiting(job);
    waits.ranks = 1;  // others may go to other workers
    if (pools_of(rooms, waits).empty() || !seen.insert({waits.device, waits.memory}).second)
      continue;
    if (fits(waits, rooms)) continue;
    const v1::Job& shown = job.record.job;
    std::string message = fmt::format("{}: {}", shown.name(), never_fits(rooms, waits));
    PM_ASSIGN(const JobSpec spec, job_spec_from_proto(shown.spec()));
    if (const auto model = find_model(spec.model, told, models_)) {
      const std::string settings = memory::settings_that_fit(
          spec, *model, may_share(job.record, config_.scheduler),
          [&](const JobSpec& changed, const memory::Placed& placed) {
            waits.memory = memory_of(to_proto(placed));
            // On one host parts of a base are more than the base.
            return fits(waits, rooms) &&
                   (!memory::shards_weights(changed) || fit_together(waits, rooms));
          });
      message += settings.empty() ? "; no setting of its micro-batches makes it fit"
                                  : "; it fits with " + settings;
    }
    return resource_exhausted(message);
  }
  return {};
}

}  // namespace prefixmem
