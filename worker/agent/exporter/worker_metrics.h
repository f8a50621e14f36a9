// The series of the worker itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/disk_space.h"
#include "common/tls/files.h"

namespace prometheus {
class Registry;
}

namespace prefixmem::agent {

// Thread-safe.
class WorkerMetrics {
 public:
  WorkerMetrics(prometheus::Registry& registry, const std::string& worker, int slots);
  ~WorkerMetrics();

  void count_heartbeat();
  void count_reconnect();
  void set_connected(bool connected);
  void set_used_slots(int64_t slots);
  void set_spooled_events(int64_t events);
  void set_disk(const DiskSpace& disk);
  void set_certificates(const std::vector<tls::Expiry>& certificates);

 private:
  struct Series;
  const std::unique_ptr<Series> series_;
};

}  // namespace prefixmem::agent
