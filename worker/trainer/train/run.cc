#include "worker/trainer/train/run.h"

#include <cstdio>

#include "common/spec/enums.h"
#include "common/spec/spec_io.h"
#include "worker/trainer/collective/backends.h"
#include "worker/trainer/proof/golden_probe.h"
#include "worker/trainer/train/guard.h"
#include "worker/trainer/train/loop.h"
#include "worker/trainer/train/output.h"
#include "worker/trainer/train/stop_signal.h"

namespace prefixmem::trainer {
namespace {

Result<JobSpec> load_spec(const std::filesystem::path& file) {
  PM_ASSIGN(JobSpec spec, load_job_spec(file));
  if (!spec.sweep) return spec;
  return invalid_argument(
      "the spec has a sweep block, which the coordinator expands into jobs; submit it with pmt, or "
      "give the trainer one trial");
}

// Written by the rank that speaks: stderr for people, the sink for the agent.
void report_failure(Session& session, int rank, bool alone, const Status& status) {
  const std::string who = alone ? "rank " + std::to_string(rank) + ": " : "";
  std::fprintf(stderr, "pmt-trainer: %s%s\n", who.c_str(), status.message().c_str());
  if (!session.sink) return;
  const Status sent = session.sink->emit(FailureEvent{rank, status});
  if (!sent.ok()) std::fprintf(stderr, "pmt-trainer: %s\n", sent.message().c_str());
}

Status join_gang(Session& session) {
  const int rank = launched_rank();
  install_stop_signals();
  if (started_by_mpi() || !session.options.events.empty()) die_with_parent();
  session.sink = make_console_sink(rank);
  if (!session.options.events.empty()) {
    PM_ASSIGN(session.sink, connect_event_sink(session.options.events, rank));
  }
  auto spec = load_spec(session.options.spec);
  CollectiveOptions options;
  options.device = spec.ok() ? spec->resources.device : Device::kCpu;
  options.on_stall = [&session, rank](const Status& status) {
    report_failure(session, rank, true, status);
  };
  PM_ASSIGN(session.gang, make_collective(options));
  PM_TRY(session.agree(spec.status()));
  session.spec = std::move(*spec);
  return session.agree(session.leads() ? prepare_output(session.options.out, session.options.resume)
                                       : Status());
}

ResultEvent summarize(const TrainingLoop& loop, Session& session) {
  const Progress& progress = loop.progress();
  ResultEvent result;
  result.steps = loop.steps_done();
  result.final_loss = progress.last_loss;
  result.wall_seconds = loop.wall_seconds();
  if (progress.train_seconds > 0) {
    result.tokens_per_second = static_cast<double>(progress.tokens) / progress.train_seconds;
  }
  result.trainable_parameters = session.adapter ? session.adapter->parameter_count() : 0;
  return result;
}

// Rank 0.
Result<int64_t> publish_with_probe(Session& session, const std::filesystem::path& folder) {
  GoldenProbe probe;
  const auto sequences = probe_sequences(session.model->config().vocab_size);
  const bool remembered = session.base_probe.defined();
  const torch::Tensor base =
      remembered ? session.base_probe : probe_logits(*session.model, nullptr, sequences);
  Adapter* const adapter = remembered ? nullptr : session.adapter.get();
  probe.base_model = session.spec.model;
  probe.dtype = spec::spelling(session.spec.train.dtype);
  PM_ASSIGN(probe.adapter_digest, weights_digest(folder));
  probe.sequences = probe_of(base, probe_logits(*session.model, adapter, sequences));
  PM_TRY(write_probe(folder, probe));
  return publish_adapter(session.options.out);
}

// Collective, as is writing what the ranks share.
Status save_adapter(TrainingLoop& loop, Session& session) {
  PhaseEvent phase;
  phase.phase = PhaseEvent::Phase::kSaving;
  PM_TRY(session.emit(phase));
  Result<std::filesystem::path> folder = std::filesystem::path();
  if (session.leads()) folder = begin_adapter(session.options.out);
  PM_TRY(session.agree(folder.status()));
  PM_TRY(session.agree(loop.save_adapter(*folder)));
  Result<int64_t> bytes = 0;
  if (session.leads()) bytes = publish_with_probe(session, *folder);
  PM_TRY(session.agree(bytes.status()));
  return session.emit(
      ArtifactEvent{ArtifactEvent::Kind::kAdapter, "adapter", loop.steps_done(), *bytes, 0});
}

Status save_result(const TrainingLoop& loop, Session& session) {
  const ResultEvent result = summarize(loop, session);
  PM_TRY(write_result(session.options.out, {}, result, loop.progress(), session.data));
  return session.emit(result);
}

Status run_job(Session& session) {
  PM_TRY(join_gang(session));
  PM_TRY(load_session(session));
  TrainingLoop loop(session);
  PM_TRY(loop.resume());
  const Status done = loop.run();
  if (session.failed_together && session.leads()) {
    PM_TRY(write_result(session.options.out, done, summarize(loop, session), loop.progress(),
                        session.data));
  }
  PM_TRY(done);
  if (session.adapter) PM_TRY(save_adapter(loop, session));
  return session.agree(session.leads() ? save_result(loop, session) : Status());
}

}  // namespace

int run_trainer(const RunOptions& options) {
  Session session;
  session.options = options;
  const Status status = torch_guarded([&] { return run_job(session); });
  if (status.ok()) return 0;
  const int rank = launched_rank();
  const bool alone = !session.failed_together;
  if (alone || rank == 0) report_failure(session, rank, alone && rank > 0, status);
  if (session.gang && alone) session.gang->abort(exit_code(status));
  if (session.gang) {
    const Status parted = session.gang->barrier();
    if (!parted.ok()) std::fprintf(stderr, "pmt-trainer: %s\n", parted.message().c_str());
  }
  return exit_code(status);
}

}  // namespace prefixmem::trainer
