#include "coordinator/metrics/metrics.h"

#include <prometheus/text_serializer.h>

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
                .Register(registry_)) {
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

void Metrics::rpc_ended(const std::string& method, const std::string& code) {
  rpcs_.Add({{"method", method}, {"code", code}}).Increment();
}

std::string Metrics::text(const Overview& overview) const {
  auto families = registry_.Collect();
  for (auto& family : families_of(overview)) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace prefixmem
