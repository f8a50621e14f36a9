#include "coordinator/metrics/overview_families.h"

#include <algorithm>
#include <cctype>
#include <map>

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

// Every state has a series.
void add_counts(MetricFamily& family, const Overview::Counts& counts,
                const std::vector<ClientMetric::Label>& labels = {}) {
  for (int number = v1::JOB_STATE_QUEUED; number <= v1::JobState_MAX; ++number) {
    const auto state = static_cast<v1::JobState>(number);
    const auto found = counts.find(state);
    auto all = labels;
    all.push_back({"state", state_name(state)});
    add(family, found == counts.end() ? 0 : static_cast<double>(found->second), std::move(all));
  }
}

MetricFamily jobs_family(const Overview& overview) {
  auto family = gauge("prefixmem_jobs", "Jobs in the store, by state.");
  add_counts(family, overview.jobs);
  return family;
}

MetricFamily sweeps_family(const Overview& overview) {
  auto family =
      gauge("prefixmem_sweep_jobs", "Jobs of a sweep, by state, until the last of them has ended.");
  for (const auto& [id, counts] : overview.sweeps) add_counts(family, counts, {{"sweep", id}});
  return family;
}

// Joined on `job` with the series that workers export, which know neither sweep nor gang.
MetricFamily info_family(const Overview& overview) {
  auto family = gauge("prefixmem_job_info",
                      "Always 1, of jobs that are starting or running: where they belong.");
  for (const v1::Job& job : overview.placed) {
    add(family, 1,
        {{"job", job.id()},
         {"name", job.name()},
         {"sweep", job.sweep_id()},
         {"gang", job.gang()},
         {"worker", job.worker_id()}});
  }
  return family;
}

std::string label_name(const std::string& key) {
  std::string name = "label_";
  for (const char c : key) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    name += plain ? c : '_';
  }
  return name;
}

// Of two keys that differ in what a label's name cannot hold, the first by the alphabet counts.
MetricFamily labels_family(const Overview& overview) {
  auto family = gauge("prefixmem_job_labels",
                      "Always 1, of jobs that are starting or running: their labels.");
  for (const v1::Job& job : overview.placed) {
    const std::map<std::string, std::string> sorted(job.spec().labels().begin(),
                                                    job.spec().labels().end());
    std::map<std::string, std::string> named = {{"job", job.id()}};
    for (const auto& [key, value] : sorted) named.try_emplace(label_name(key), value);
    std::vector<ClientMetric::Label> labels;
    for (const auto& [name, value] : named) labels.push_back({name, value});
    add(family, 1, std::move(labels));
  }
  return family;
}

MetricFamily queue_family(const Overview& overview) {
  auto family = gauge("prefixmem_queue_depth",
                      "Jobs that wait to be placed, without those that wait for other jobs.");
  const auto found = overview.jobs.find(v1::JOB_STATE_QUEUED);
  const int64_t queued = found == overview.jobs.end() ? 0 : found->second;
  add(family, static_cast<double>(std::max<int64_t>(queued - overview.dependents, 0)));
  return family;
}

MetricFamily workers_family(const Overview& overview) {
  auto family = gauge("prefixmem_workers", "Workers, by state.");
  for (const char* state :
       {"connected", "disconnected", "unhealthy", "cordoned", "draining", "lost"}) {
    double count = 0;
    for (const v1::Worker& worker : overview.workers) count += worker.state() == state ? 1 : 0;
    add(family, count, {{"state", state}});
  }
  return family;
}

std::vector<MetricFamily> worker_families(const Overview& overview) {
  auto info = gauge("prefixmem_worker_info", "Always 1: which host and device a worker is.");
  auto slots = gauge("prefixmem_worker_slots", "Ranks that a worker can run at once.");
  auto used = gauge("prefixmem_worker_used_slots", "Slots of a worker that gangs hold.");
  auto gangs = gauge("prefixmem_worker_gangs", "Gangs that run on a worker.");
  auto age = gauge("prefixmem_worker_heartbeat_age_seconds", "Time since a worker was last heard.");
  for (const v1::Worker& worker : overview.workers) {
    const std::vector<ClientMetric::Label> labels = {{"worker", worker.id()}};
    add(info, 1,
        {{"worker", worker.id()},
         {"host", worker.host()},
         {"device", worker.device()},
         {"state", worker.state()},
         {"version", worker.version()}});
    add(slots, worker.slots(), labels);
    add(used, worker.used_slots(), labels);
    add(gangs, worker.gangs(), labels);
    add(age, worker.heartbeat_age_seconds(), labels);
  }
  return {workers_family(overview), std::move(info),  std::move(slots),
          std::move(used),          std::move(gangs), std::move(age)};
}

MetricFamily certificates_family(const Overview& overview) {
  auto family = gauge("prefixmem_certificate_expiry_timestamp_seconds",
                      "When the certificates of a TLS option's file expire, as Unix time; 0: it "
                      "cannot be read.");
  for (const tls::Expiry& one : overview.certificates) {
    add(family, static_cast<double>(one.time), {{"option", one.option}});
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> families_of(const Overview& overview) {
  auto age_of_queue = gauge("prefixmem_queue_oldest_job_age_seconds",
                            "Time since the first of the waiting jobs was submitted; 0: none.");
  auto disk_free = gauge("prefixmem_store_disk_free_bytes", "Room left where the store lies.");
  auto disk_size =
      gauge("prefixmem_store_disk_size_bytes", "Size of the file system where the store lies.");
  add(age_of_queue, overview.oldest_queued_seconds);
  add(disk_free, static_cast<double>(overview.disk.free_bytes));
  add(disk_size, static_cast<double>(overview.disk.size_bytes));
  std::vector<MetricFamily> families = {
      jobs_family(overview),   queue_family(overview), std::move(age_of_queue),
      sweeps_family(overview), info_family(overview),  labels_family(overview),
      std::move(disk_free),    std::move(disk_size),   certificates_family(overview)};
  for (MetricFamily& family : worker_families(overview)) families.push_back(std::move(family));
  return families;
}

}  // namespace prefixmem
