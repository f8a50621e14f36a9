#include "coordinator/metrics/overview_families.h"

#include "common/proto/job_state.h"

namespace prefixmem {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

MetricFamily gauge(const std::string& name, const std::string& help) {
  return {name, help, prometheus::MetricType::Gauge, {}};
}

void add(MetricFamily& family, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily jobs_family(const Overview& overview) {
  auto family = gauge("prefixmem_jobs", "Jobs in the store, by state.");
  for (int number = v1::JOB_STATE_QUEUED; number <= v1::JobState_MAX; ++number) {
    const auto state = static_cast<v1::JobState>(number);
    const auto found = overview.jobs.find(state);
    const int64_t count = found == overview.jobs.end() ? 0 : found->second;
    add(family, static_cast<double>(count), {{"state", state_name(state)}});
  }
  return family;
}

MetricFamily queue_family(const Overview& overview) {
  auto family = gauge("prefixmem_queue_depth", "Jobs that wait to be placed.");
  const auto found = overview.jobs.find(v1::JOB_STATE_QUEUED);
  add(family, found == overview.jobs.end() ? 0 : static_cast<double>(found->second));
  return family;
}

MetricFamily workers_family(const Overview& overview) {
  auto family = gauge("prefixmem_workers", "Workers, by state.");
  for (const char* state : {"connected", "draining", "lost"}) {
    double count = 0;
    for (const v1::Worker& worker : overview.workers) count += worker.state() == state ? 1 : 0;
    add(family, count, {{"state", state}});
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> families_of(const Overview& overview) {
  auto slots = gauge("prefixmem_worker_slots", "Ranks that a worker can run at once.");
  auto used = gauge("prefixmem_worker_used_slots", "Slots of a worker that hold a rank.");
  auto gangs = gauge("prefixmem_worker_gangs", "Gangs that run on a worker.");
  auto age = gauge("prefixmem_worker_heartbeat_age_seconds", "Time since a worker was last heard.");
  for (const v1::Worker& worker : overview.workers) {
    const std::vector<ClientMetric::Label> labels = {{"worker", worker.id()}};
    add(slots, worker.slots(), labels);
    add(used, worker.used_slots(), labels);
    add(gangs, worker.gangs(), labels);
    add(age, worker.heartbeat_age_seconds(), labels);
  }
  return {jobs_family(overview), queue_family(overview), workers_family(overview),
          std::move(slots),      std::move(used),        std::move(gangs),
          std::move(age)};
}

}  // namespace prefixmem
