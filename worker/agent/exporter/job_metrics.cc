#include "worker/agent/exporter/job_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <vector>

#include "common/event/event_json.h"

namespace prefixmem::agent {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;

Family<Gauge>& gauge(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Counter>& counter(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Histogram>& histogram(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

// From a millisecond to two minutes: steps of toy models and of long rows on a CPU.
const Histogram::BucketBoundaries& seconds_buckets() {
  static const Histogram::BucketBoundaries kBuckets = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                       0.5,   1,     2.5,  5,     10,   30,  120};
  return kBuckets;
}

// One metric of a family, made when first asked for and removed with its owner.
template <typename Metric>
class Owned {
 public:
  Owned(Family<Metric>& family, Labels labels) : family_(family), labels_(std::move(labels)) {}
  ~Owned() {
    if (metric_ != nullptr) family_.Remove(metric_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  Metric* operator->() {
    if (metric_ == nullptr) metric_ = &make();
    return metric_;
  }

 private:
  Metric& make() {
    if constexpr (std::is_same_v<Metric, Histogram>) {
      return family_.Add(labels_, seconds_buckets());
    } else {
      return family_.Add(labels_);
    }
  }

  Family<Metric>& family_;
  const Labels labels_;
  Metric* metric_ = nullptr;
};

}  // namespace

struct JobMetrics::Families {
  explicit Families(Registry& r)
      : loss(gauge(r, "prefixmem_job_loss", "Training loss of the last step.")),
        learning_rate(gauge(r, "prefixmem_job_learning_rate", "Learning rate of the last step.")),
        gradient_norm(gauge(r, "prefixmem_job_gradient_norm",
                            "Gradient norm of the last step before clipping.")),
        progress(gauge(r, "prefixmem_job_progress_ratio", "Steps done / steps to do.")),
        phase(gauge(r, "prefixmem_job_phase", "1 for the phase that the job is in here, else 0.")),
        eval(gauge(r, "prefixmem_job_eval", "Last value of an evaluation's metric.")),
        hanging(gauge(r, "prefixmem_job_hanging_rank",
                      "Always 1: the other ranks of the gang wait for this one in the call; rank "
                      "all: they are all in it.")),
        resident(gauge(r, "prefixmem_job_resident_memory_bytes",
                       "Proportional resident memory of the job's ranks on this host.")),
        gpu_memory(gauge(r, "prefixmem_job_gpu_memory_bytes", "GPU memory of the job's rank 0.")),
        gpu_utilization(gauge(r, "prefixmem_job_gpu_utilization_ratio",
                              "Share of time in which the GPU of rank 0 computes.")),
        tokens(counter(r, "prefixmem_job_tokens_total",
                       "Tokens of the rows trained on, whether shared or not.")),
        label_tokens(counter(r, "prefixmem_job_label_tokens_total", "Label tokens trained on.")),
        steps(counter(r, "prefixmem_job_steps_total", "Optimizer steps done.")),
        upload_failures(counter(r, "prefixmem_job_upload_failures_total",
                                "Failed tries to bring a file of the job to the coordinator.")),
        step_seconds(histogram(r, "prefixmem_job_step_seconds", "Time of an optimizer step.")),
        allreduce_seconds(histogram(r, "prefixmem_job_allreduce_seconds",
                                    "Part of a step spent in adding up gradients over ranks.")),
        checkpoint_seconds(
            histogram(r, "prefixmem_job_checkpoint_seconds", "Time to write a checkpoint.")) {}

  Family<Gauge>&loss, &learning_rate, &gradient_norm, &progress, &phase, &eval, &hanging, &resident,
      &gpu_memory, &gpu_utilization;
  Family<Counter>&tokens, &label_tokens, &steps, &upload_failures;
  Family<Histogram>&step_seconds, &allreduce_seconds, &checkpoint_seconds;
};

struct JobMetrics::Series {
  Series(Families& f, Labels all)
      : families(f),
        labels(std::move(all)),
        loss(f.loss, labels),
        learning_rate(f.learning_rate, labels),
        gradient_norm(f.gradient_norm, labels),
        progress(f.progress, labels),
        resident(f.resident, labels),
        gpu_memory(f.gpu_memory, labels),
        gpu_utilization(f.gpu_utilization, labels),
        tokens(f.tokens, labels),
        label_tokens(f.label_tokens, labels),
        steps(f.steps, labels),
        upload_failures(f.upload_failures, labels),
        step_seconds(f.step_seconds, labels),
        allreduce_seconds(f.allreduce_seconds, labels),
        checkpoint_seconds(f.checkpoint_seconds, labels) {
    upload_failures->Increment(0);  // there from the start, so that its first rise is one
  }

  void observe(const PhaseEvent& e) {
    enter(event::kNames<PhaseEvent::Phase>.at(static_cast<size_t>(e.phase)));
  }
  void observe(const EvalEvent& e) { at(evals, families.eval, "metric", e.metric)->Set(e.value); }
  void observe(const StepEvent& e) {
    loss->Set(e.loss);
    learning_rate->Set(e.learning_rate);
    gradient_norm->Set(e.grad_norm);
    if (e.total_steps > 0) {
      progress->Set(static_cast<double>(e.step) / static_cast<double>(e.total_steps));
    }
    tokens->Increment(static_cast<double>(e.tokens));
    label_tokens->Increment(static_cast<double>(e.label_tokens));
    steps->Increment();
    step_seconds->Observe(e.step_seconds);
    allreduce_seconds->Observe(e.allreduce_seconds);
    resident->Set(static_cast<double>(e.resident_bytes));
    if (e.device_bytes > 0) gpu_memory->Set(static_cast<double>(e.device_bytes));
    if (e.device_utilization >= 0) gpu_utilization->Set(e.device_utilization);
  }
  void observe(const ArtifactEvent& e) {
    if (e.kind == ArtifactEvent::Kind::kCheckpoint) checkpoint_seconds->Observe(e.seconds);
  }
  template <typename Other>
  void observe(const Other&) {}

  // "": none.
  void enter(std::string_view phase) {
    for (const std::string_view name : event::kNames<PhaseEvent::Phase>) {
      at(phases, families.phase, "phase", std::string(name))->Set(name == phase ? 1 : 0);
    }
  }

  void set_hanging(const std::vector<HangingRank>& ranks) {
    hanging.clear();
    for (const HangingRank& rank : ranks) {
      Labels all = labels;
      all.insert({{"rank", rank.rank}, {"host", rank.host}, {"call", rank.call}});
      hanging.try_emplace(rank.rank, families.hanging, std::move(all)).first->second->Set(1);
    }
  }

  using Gauges = std::map<std::string, Owned<Gauge>>;

  // The gauge of one value of a label.
  Owned<Gauge>& at(Gauges& gauges, Family<Gauge>& family, const char* label,
                   const std::string& value) const {
    Labels all = labels;
    all[label] = value;
    return gauges.try_emplace(value, family, std::move(all)).first->second;
  }

  Families& families;
  const Labels labels;
  Owned<Gauge> loss, learning_rate, gradient_norm, progress, resident, gpu_memory, gpu_utilization;
  Gauges phases, evals, hanging;
  Owned<Counter> tokens, label_tokens, steps, upload_failures;
  Owned<Histogram> step_seconds, allreduce_seconds, checkpoint_seconds;
};

JobMetrics::JobMetrics(Registry& registry, std::string worker, const Clock& clock, Millis retention)
    : worker_(std::move(worker)),
      clock_(clock),
      retention_(retention),
      families_(std::make_unique<Families>(registry)) {}

JobMetrics::~JobMetrics() = default;

void JobMetrics::begin(const JobLabels& labels) {
  drop_expired();
  const MutexLock lock(mutex_);
  Job& job = jobs_[labels.job];
  job.ended.reset();
  ++job.running;
  if (job.series) return;
  job.series = std::make_unique<Series>(*families_, Labels{{"job", labels.job},
                                                           {"name", labels.name},
                                                           {"method", labels.method},
                                                           {"worker", worker_}});
}

void JobMetrics::with(const std::string& job, const std::function<void(Series&)>& use) {
  const MutexLock lock(mutex_);
  const auto at = jobs_.find(job);
  if (at != jobs_.end()) use(*at->second.series);
}

void JobMetrics::observe(const std::string& job, const Event& event) {
  with(job, [&](Series& series) {
    std::visit([&](const auto& known) { series.observe(known); }, event);
  });
}

void JobMetrics::set_hanging(const std::string& job, const std::vector<HangingRank>& ranks) {
  with(job, [&](Series& series) { series.set_hanging(ranks); });
}

void JobMetrics::upload_failed(const std::string& job) {
  with(job, [](Series& series) { series.upload_failures->Increment(); });
}

void JobMetrics::end(const std::string& job) {
  const MutexLock lock(mutex_);
  const auto at = jobs_.find(job);
  if (at == jobs_.end() || --at->second.running > 0) return;
  at->second.ended = clock_.monotonic();
  at->second.series->enter("");
  at->second.series->set_hanging({});
}

void JobMetrics::drop_expired() {
  const MutexLock lock(mutex_);
  const MonotonicTime now = clock_.monotonic();
  std::erase_if(jobs_, [&](const auto& entry) {
    return entry.second.ended && now - *entry.second.ended >= retention_;
  });
}

}  // namespace prefixmem::agent
