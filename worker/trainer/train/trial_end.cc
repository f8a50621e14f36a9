#include "worker/trainer/train/trial_end.h"

#include <functional>

#include "common/files.h"
#include "common/guarded.h"
#include "common/spec/enums.h"
#include "worker/trainer/diagnosis/diagnose.h"
#include "worker/trainer/diagnosis/diagnosis_json.h"
#include "worker/trainer/proof/golden_probe.h"
#include "worker/trainer/train/guard.h"
#include "worker/trainer/train/output.h"

namespace prefixmem::trainer {
namespace {

ResultEvent summarize(const TrainingLoop& loop, const Session& session) {
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

// Rank 0. What a whole model adds to its base is no term that has a spectrum, and the base is gone.
Status write_diagnosis(const Session& session, const std::filesystem::path& folder) {
  const JobSpec& spec = session.spec;
  if (!spec.eval.diagnosis_rows || session.adapter->trains_model()) return {};
  Transformer& model = *session.base.model;
  Diagnosis diagnosis;
  diagnosis.method = method_name(spec.method);
  diagnosis.base_model = spec.model;
  diagnosis.prefix_length = session.adapter->prefix_length();
  compare_attention(model, model, session.adapter.get(),
                    diagnosed_rows(spec, *session.data, *spec.eval.diagnosis_rows), diagnosis);
  return write_file_atomic(folder / "diagnosis.json", diagnosis_json(diagnosis));
}

// Rank 0: what proves that the adapter in the folder is applied.
Status add_probe(Session& session, const std::filesystem::path& folder) {
  GoldenProbe probe;
  Decoder& model = *session.base.model;
  const torch::Tensor& base = session.base.probe();
  Adapter* const adapter = session.adapter->trains_model() ? nullptr : session.adapter.get();
  probe.base_model = session.spec.model;
  probe.dtype = spec::spelling(session.spec.train.dtype);
  PM_ASSIGN(probe.adapter_digest, weights_digest(folder));
  probe.sequences =
      probe_of(base, probe_logits(model, adapter, probe_sequences(model.config().vocab_size)));
  return write_probe(folder, probe);
}

// Writes what the ranks share and has rank 0 `finish` the folder, which gives its bytes.
// Collective.
Status save(TrainingLoop& loop, Session& session, ArtifactEvent event,
            const std::function<Result<int64_t>(const std::filesystem::path&)>& finish) {
  Result<std::filesystem::path> folder = std::filesystem::path();
  if (session.leads()) folder = guarded([&] { return begin_adapter(session.files.out); });
  PM_TRY(session.agree(folder.status()));
  PM_TRY(session.agree(loop.save_adapter(*folder)));
  Result<int64_t> bytes = 0;
  if (session.leads()) bytes = guarded([&] { return finish(*folder); });
  PM_TRY(session.agree(bytes.status()));
  event.step = loop.steps_done();
  event.bytes = *bytes;
  return session.emit(event);
}

Status save_adapter(TrainingLoop& loop, Session& session) {
  PhaseEvent phase;
  phase.phase = PhaseEvent::Phase::kSaving;
  PM_TRY(session.emit(phase));
  const ArtifactEvent event{ArtifactEvent::Kind::kAdapter, "adapter"};
  return save(loop, session, event, [&](const auto& folder) -> Result<int64_t> {
    PM_TRY(add_probe(session, folder));
    PM_TRY(torch_guarded([&] { return write_diagnosis(session, folder); }));
    return publish_adapter(session.files.out, event.path);
  });
}

Status save_result(const TrainingLoop& loop, const Session& session) {
  const ResultEvent result = summarize(loop, session);
  PM_TRY(write_result(session.files.out, {}, result, loop.progress(), *session.data));
  return session.emit(result);
}

}  // namespace

Status save_outputs(TrainingLoop& loop, Session& session) {
  const bool saved = session.adapter && session.spec.train.output != Output::kNone;
  if (saved) PM_TRY(save_adapter(loop, session));
  return session.agree(session.leads() ? save_result(loop, session) : Status());
}

Status save_best(TrainingLoop& loop, Session& session) {
  const std::string name = step_name(loop.steps_done());
  const ArtifactEvent event{ArtifactEvent::Kind::kBestAdapter, "best_adapter/" + name};
  return save(loop, session, event, [&](const auto& folder) -> Result<int64_t> {
    PM_TRY(add_probe(session, folder));
    PM_ASSIGN(const int64_t bytes, publish_adapter(session.files.out, event.path));
    PM_TRY(keep_only(session.files.out, "best_adapter", name));
    return bytes;
  });
}

Status save_failure(const Status& failure, const TrainingLoop& loop, const Session& session) {
  return write_result(session.files.out, failure, summarize(loop, session), loop.progress(),
                      *session.data);
}

}  // namespace prefixmem::trainer
