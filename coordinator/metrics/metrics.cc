#include "coordinator/metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include "common/version.h"
#include "coordinator/metrics/overview_families.h"

namespace prefixmem {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets kJobSeconds = {1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400};
const Buckets kGangJobs = {1, 2, 4, 8, 12, 16, 32, 64};
const Buckets kCommitSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5};

prometheus::Histogram& histogram(prometheus::Registry& registry, const std::string& name,
                                 const std::string& help, const Buckets& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace

Metrics::Metrics()
    : wait_(histogram(registry_, "prefixmem_job_wait_seconds",
                      "Time from a job's submission to its first start.", kJobSeconds)),
      run_(histogram(registry_, "prefixmem_job_run_seconds",
                     "Time from a job's first start to its end.", kJobSeconds)),
      gang_jobs_(histogram(registry_, "prefixmem_gang_jobs",
                           "Jobs that a gang was started with; above 1 it is a bank.", kGangJobs)),
      commit_(histogram(registry_, "prefixmem_store_commit_seconds",
                        "Time that one transaction of the store takes.", kCommitSeconds)),
      events_(prometheus::BuildCounter()
                  .Name("prefixmem_events_committed_total")
                  .Help("Job events made durable.")
                  .Register(registry_)
                  .Add({})),
      ended_(prometheus::BuildCounter()
                 .Name("prefixmem_jobs_ended_total")
                 .Help("Jobs that have ended, by state and failure code.")
                 .Register(registry_)),
      rpcs_(prometheus::BuildCounter()
                .Name("prefixmem_rpc_requests_total")
                .Help("Requests that have ended, by method and gRPC code.")
                .Register(registry_)),
      allocations_(prometheus::BuildGauge()
                       .Name("prefixmem_provisioner_allocations")
                       .Help("Allocations of the batch system for workers, by state.")
                       .Register(registry_)),
      provisioner_up_(prometheus::BuildGauge()
                          .Name("prefixmem_provisioner_up")
                          .Help("Whether the batch system did what it was last asked.")
                          .Register(registry_)),
      failed_allocations_(prometheus::BuildCounter()
                              .Name("prefixmem_provisioner_allocation_failures_total")
                              .Help("Allocations that ended, or were given up, without a worker.")
                              .Register(registry_)),
      failed_calls_(prometheus::BuildCounter()
                        .Name("prefixmem_provisioner_errors_total")
                        .Help("What the batch system was asked in vain: list, submit or cancel.")
                        .Register(registry_)) {
  prometheus::BuildGauge()
      .Name("prefixmem_coordinator_build_info")
      .Help("Always 1; the version is in the label.")
      .Register(registry_)
      .Add({{"version", std::string(version())}})
      .Set(1);
  // There from the start, so that the first rise of each is one.
  for (const char* state : {"succeeded", "cancelled"}) ended_.Add({{"state", state}, {"code", ""}});
  for (const std::string_view code : kCodeNames) {
    if (code != code_name(Code::kOk)) {
      ended_.Add({{"state", "failed"}, {"code", std::string(code)}});
    }
  }
}

void Metrics::job_started(double wait_seconds) { wait_.Observe(wait_seconds); }

void Metrics::job_ended(const std::string& state, const std::string& code,
                        std::optional<double> run_seconds) {
  ended_.Add({{"state", state}, {"code", code}}).Increment();
  if (run_seconds) run_.Observe(*run_seconds);
}

void Metrics::gang_started(size_t jobs) { gang_jobs_.Observe(static_cast<double>(jobs)); }

void Metrics::committed(double seconds, size_t events) {
  commit_.Observe(seconds);
  events_.Increment(static_cast<double>(events));
}

void Metrics::set_allocations(const std::map<std::string, int>& by_state) {
  for (const auto& [state, count] : by_state) allocations_.Add({{"state", state}}).Set(count);
}

void Metrics::allocation_failed() { failed_allocations_.Add({}).Increment(); }

void Metrics::set_provisioner_up(bool up) {
  failed_allocations_.Add({});
  for (const char* call : {"list", "submit", "cancel"}) failed_calls_.Add({{"call", call}});
  provisioner_up_.Add({}).Set(up ? 1 : 0);
}

void Metrics::provisioner_call_failed(const std::string& call) {
  failed_calls_.Add({{"call", call}}).Increment();
}

void Metrics::rpc_ended(const std::string& method, const std::string& code) {
  rpcs_.Add({{"method", method}, {"code", code}}).Increment();
}

std::string Metrics::text(const Overview& overview) const {
  auto families = registry_.Collect();
  for (auto& family : families_of(overview)) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace prefixmem
