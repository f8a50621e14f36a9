// The coordinator's figures for Prometheus.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/disk_space.h"
#include "common/tls/files.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem {

// What is true at the moment of a scrape, as opposed to what has been counted.
struct Overview {
  using Counts = std::map<v1::JobState, int64_t>;  // jobs in each state; absent: none

  Counts jobs = {};
  std::map<std::string, Counts> sweeps = {};  // of which a job has not ended, by id
  std::vector<v1::Worker> workers = {};
  std::vector<v1::Job> placed = {};  // starting or running
  int64_t dependents = 0;            // queued, but for others to succeed
  double oldest_queued_seconds =
      0;                // since the first job that waits for slots was submitted; 0: none
  DiskSpace disk = {};  // where the store lies
  std::vector<tls::Expiry> certificates = {};
};

// Thread-safe.
class Metrics {
 public:
  Metrics();

  void job_started(double wait_seconds);
  // At its end; `state` and `code` by name, e.g. "failed" and "NOT_FOUND". A job that never started
  // has no run time.
  void job_ended(const std::string& state, const std::string& code,
                 std::optional<double> run_seconds);
  void gang_started(size_t jobs);
  void committed(double seconds, size_t events);
  // Of a provisioner: the first of these has its counters begin with 0.
  void set_provisioner_up(bool up);
  void set_allocations(const std::map<std::string, int>& by_state);
  void allocation_failed();
  void provisioner_call_failed(const std::string& call);
  // `code` is a gRPC code by name, e.g. "NOT_FOUND".
  void rpc_ended(const std::string& method, const std::string& code);

  // The exposition text of everything.
  std::string text(const Overview& overview) const;

 private:
  prometheus::Registry registry_;
  prometheus::Histogram& wait_;
  prometheus::Histogram& run_;
  prometheus::Histogram& gang_jobs_;
  prometheus::Histogram& commit_;
  prometheus::Counter& events_;
  prometheus::Family<prometheus::Counter>& ended_;
  prometheus::Family<prometheus::Counter>& rpcs_;
  prometheus::Family<prometheus::Gauge>&allocations_, &provisioner_up_;
  prometheus::Family<prometheus::Counter>&failed_allocations_, &failed_calls_;
};

}  // namespace prefixmem
