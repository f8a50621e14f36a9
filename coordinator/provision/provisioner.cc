#include "coordinator/provision/provisioner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace prefixmem::provision {
namespace {

constexpr Millis kLongestPause{60'000};

}  // namespace

Provisioner::Provisioner(const Config& config, std::unique_ptr<BatchSystem> system,
                         const World& world)
    : system_(std::move(system)),
      world_(world),
      backoff_{.first = config.poll,
               .longest = std::max(config.poll, kLongestPause),
               .factor = 2,
               .jitter = 0},
      fleet_(config.limits) {
  world_.metrics.set_provisioner_up(true);  // until something fails
}

void Provisioner::round() {
  if (world_.clock.monotonic() < next_look_) return;
  failure_ = {};
  if (const auto listed = system_->list(); listed.ok()) {
    const auto plan = fleet_.plan(world_.clock.monotonic(), *listed, world_.coordinator.demand());
    carry_out(plan);
    std::set<std::string> ids;
    for (const auto& allocation : *listed) ids.insert(allocation.id);
    world_.coordinator.forget_released(std::move(ids));
    world_.metrics.set_allocations(fleet_.counts());
  } else {
    note("list", listed.status());
  }
  const bool well = failure_.ok() && refusal_.ok();
  world_.metrics.set_provisioner_up(well);
  if (well) {
    if (std::exchange(failures_, 0) > 0) spdlog::info("the batch system answers again");
    warned_.clear();
  } else if (!failure_.ok()) {
    next_look_ = world_.clock.monotonic() + backoff_delay(backoff_, failures_++, 0);
  }
}

void Provisioner::carry_out(const scheduler::FleetPlan& plan) {
  for (const std::string& failure : plan.failures) {
    spdlog::warn("allocation {}", failure);
    world_.metrics.allocation_failed();
  }
  for (const std::string& surprise : plan.surprises) {
    spdlog::warn(
        "allocation {}: slots and device in the provisioner's file are to say what its "
        "script starts",
        surprise);
  }
  for (const std::string& id : plan.withdraw) note("cancel", system_->withdraw(id));
  for (const std::string& id : plan.release) release(id);
  for (const std::string& id : plan.cancel) {
    // A worker that is back with a gang keeps its allocation until the gang has left.
    if (world_.coordinator.release(id)) note("cancel", system_->cancel(id));
  }
  if (plan.wanted <= 0) refusal_ = {};
  for (int i = 0; i < plan.submit; ++i) {
    if (!submit()) return;
  }
}

void Provisioner::release(const std::string& id) {
  if (!world_.coordinator.release(id)) return;
  fleet_.released(id);
  spdlog::info("allocation {} is given back: nothing needs it", id);
  note("cancel", system_->cancel(id));
}

bool Provisioner::submit() {
  const auto id = system_->submit();
  refusal_ = id.status();
  if (note("submit", id.status())) {
    fleet_.submitted(world_.clock.monotonic(), *id);
    spdlog::info("allocation {} is asked for", *id);
  } else {
    fleet_.refused(world_.clock.monotonic());
  }
  return id.ok();
}

bool Provisioner::note(const char* call, const Status& status) {
  if (status.ok()) return true;
  world_.metrics.provisioner_call_failed(call);
  if (failure_.ok()) failure_ = status;
  if (std::exchange(warned_, status.message()) != status.message()) {
    spdlog::warn("provisioner: {}", status.message());
  }
  return false;
}

}  // namespace prefixmem::provision
