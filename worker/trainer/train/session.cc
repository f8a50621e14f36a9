#include "worker/trainer/train/session.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "worker/trainer/data/codec.h"

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

Status load_parts(Session& session) {
  const JobSpec& spec = session.spec;
  DecoderOptions options;
  options.dtype = spec.train.dtype == Dtype::kBf16 ? torch::kBFloat16 : torch::kFloat32;
  options.device = session.gang->device();
  PM_ASSIGN(session.codec, load_codec(spec.model));
  PM_ASSIGN(session.model, Decoder::load(spec.model, options));
  const ModelConfig& model = session.model->config();
  PM_ASSIGN(session.adapter,
            make_adapter(spec.method, {model, static_cast<uint64_t>(spec.train.seed),
                                       options.device, session.model.get(), session.codec.get()}));
  const int64_t prefix = session.adapter ? session.adapter->prefix_length() : 0;
  PM_ASSIGN(session.data,
            load_dataset(spec, *session.codec, model.max_position_embeddings - prefix));
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
  for (const std::string& note : session.data.notes) {
    PM_TRY(session.emit(LogEvent{0, "warning", note}));
  }
  return {};
}

}  // namespace prefixmem::trainer
