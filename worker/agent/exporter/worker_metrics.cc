#include "worker/agent/exporter/worker_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "common/version.h"

namespace prefixmem::agent {
namespace {

using prometheus::Labels;
using prometheus::Registry;

prometheus::Gauge& gauge(Registry& registry, const Labels& labels, const char* name,
                         const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}
prometheus::Counter& counter(Registry& registry, const Labels& labels, const char* name,
                             const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

}  // namespace

struct WorkerMetrics::Series {
  Series(Registry& r, const Labels& l)
      : slots(gauge(r, l, "prefixmem_agent_slots", "Ranks that fit on this worker.")),
        used_slots(gauge(r, l, "prefixmem_agent_used_slots", "Ranks of the gangs running here.")),
        spooled(gauge(r, l, "prefixmem_agent_spooled_events",
                      "Events that the coordinator has not acknowledged.")),
        disk_free(gauge(r, l, "prefixmem_agent_disk_free_bytes",
                        "Room that is left where the work folder lies.")),
        disk_size(gauge(r, l, "prefixmem_agent_disk_size_bytes",
                        "Size of the file system where the work folder lies.")),
        connected(gauge(r, l, "prefixmem_agent_connected",
                        "1 while registered with the coordinator, otherwise 0.")),
        heartbeats(counter(r, l, "prefixmem_agent_heartbeats_total", "Heartbeats sent.")),
        reconnects(counter(r, l, "prefixmem_agent_reconnects_total",
                           "Registrations after a connection was lost.")),
        certificates(prometheus::BuildGauge()
                         .Name("prefixmem_certificate_expiry_timestamp_seconds")
                         .Help("When the certificates of a TLS option's file expire, as Unix time; "
                               "0: it cannot be read.")
                         .Labels(l)
                         .Register(r)) {}

  prometheus::Gauge &slots, &used_slots, &spooled, &disk_free, &disk_size, &connected;
  prometheus::Counter &heartbeats, &reconnects;
  prometheus::Family<prometheus::Gauge>& certificates;
};

WorkerMetrics::WorkerMetrics(Registry& registry, const std::string& worker, int slots)
    : series_(std::make_unique<Series>(registry, Labels{{"worker", worker}})) {
  series_->slots.Set(slots);
  gauge(registry, {{"worker", worker}, {"version", std::string(version())}},
        "prefixmem_agent_build_info", "Always 1; the version is in the label.")
      .Set(1);
}

WorkerMetrics::~WorkerMetrics() = default;

void WorkerMetrics::count_heartbeat() { series_->heartbeats.Increment(); }
void WorkerMetrics::count_reconnect() { series_->reconnects.Increment(); }
void WorkerMetrics::set_connected(bool connected) { series_->connected.Set(connected ? 1 : 0); }
void WorkerMetrics::set_used_slots(int64_t slots) {
  series_->used_slots.Set(static_cast<double>(slots));
}
void WorkerMetrics::set_spooled_events(int64_t events) {
  series_->spooled.Set(static_cast<double>(events));
}

void WorkerMetrics::set_disk(const DiskSpace& disk) {
  series_->disk_free.Set(static_cast<double>(disk.free_bytes));
  series_->disk_size.Set(static_cast<double>(disk.size_bytes));
}

void WorkerMetrics::set_certificates(const std::vector<tls::Expiry>& certificates) {
  for (const tls::Expiry& one : certificates) {
    series_->certificates.Add({{"option", one.option}}).Set(static_cast<double>(one.time));
  }
}

}  // namespace prefixmem::agent
