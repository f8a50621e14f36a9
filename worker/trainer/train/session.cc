#include "worker/trainer/train/session.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "worker/trainer/data/codec.h"
#include "worker/trainer/data/dataset_cache.h"
#include "worker/trainer/model/model_path.h"
#include "worker/trainer/proof/golden_probe.h"

namespace prefixmem::trainer {
namespace {

void set_threads(const Session& session) {
  int64_t threads = session.spec.resources.threads;
  if (threads == 0) {
    const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
    threads = std::max<int64_t>(1, cores / session.gang->local_size());
  }
  at::set_num_threads(static_cast<int>(threads));
}

// What full fine-tuning writes is a folder like the base's.
Status check_full(const JobSpec& spec) {
  if (!std::holds_alternative<FullMethod>(spec.method)) return {};
  PM_ASSIGN(const ModelPath base, find_model(spec.model));
  if (base.gguf.empty()) return {};
  return invalid_argument("method full cannot start from the GGUF file " + base.gguf.string() +
                          "; allowed: a Hugging Face folder with safetensors");
}

Result<Dataset> load_data(const Session& session) {
  const Positions positions{session.model->config().max_position_embeddings,
                            session.adapter ? session.adapter->prefix_length() : 0};
  const auto& cache = session.options.cache;
  if (cache.empty()) return load_dataset(session.spec, *session.codec, positions);
  return DatasetCache(cache).load(session.spec, *session.codec, positions);
}

Status load_parts(Session& session) {
  const JobSpec& spec = session.spec;
  DecoderOptions options;
  options.dtype = spec.train.dtype == Dtype::kBf16 ? torch::kBFloat16 : torch::kFloat32;
  options.device = session.gang->device();
  PM_TRY(check_full(spec));
  PM_ASSIGN(session.codec, load_codec(spec.model));
  PM_ASSIGN(session.model, Decoder::load(spec.model, options));
  const ModelConfig& model = session.model->config();
  PM_ASSIGN(session.adapter,
            make_adapter(spec.method, {model, static_cast<uint64_t>(spec.train.seed),
                                       options.device, session.model.get(), session.codec.get()}));
  PM_ASSIGN(session.data, load_data(session));
  session.objective = make_objective(spec.objective);
  if (session.leads() && session.adapter && session.adapter->trains_model()) {
    session.base_probe = probe_logits(*session.model, nullptr, probe_sequences(model.vocab_size));
  }
  return {};
}

// Of the model as it is before the first step; collective where it has to be remembered.
Status load_references(Session& session) {
  if (!session.objective->has_reference()) return {};
  if (!session.adapter || !session.adapter->trains_model()) {
    session.train_reference = adapter_off(*session.model);
    session.eval_reference = adapter_off(*session.model);
    return {};
  }
  const int64_t tokens = session.spec.train.micro_batch_tokens;
  const auto remember = [&](const std::vector<Example>& examples) {
    return remember_reference(examples, *session.model, *session.gang, tokens);
  };
  PM_ASSIGN(session.train_reference, remember(session.data.train));
  PM_ASSIGN(session.eval_reference, remember(session.data.eval));
  return {};
}

}  // namespace

Status Session::together(Status status) {
  failed_together = failed_together || !status.ok();
  return status;
}

Status Session::agree(const Status& mine) {
  Status outcome = mine;
  PM_TRY(trainer::agree(*gang, outcome));
  return together(outcome);
}

Status load_session(Session& session) {
  set_threads(session);
  PM_TRY(session.emit(PhaseEvent{}));
  PM_TRY(session.agree(load_parts(session)));
  PM_TRY(load_references(session));
  for (const std::string& note : session.data.notes) {
    PM_TRY(session.emit(LogEvent{0, "warning", note}));
  }
  return {};
}

}  // namespace prefixmem::trainer
