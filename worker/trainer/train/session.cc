#include "worker/trainer/train/session.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "worker/trainer/data/codec.h"
#include "worker/trainer/data/rows.h"

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

Status check_eval_labels(const std::vector<Row>& rows, const RowEncoder& encoder,
                         const DataSpec& data) {
  const auto& labels = encoder.labels();
  for (const Row& row : rows) {
    if (std::find(labels.begin(), labels.end(), row.label) != labels.end()) continue;
    return invalid_argument(data.eval + " line " + std::to_string(row.line) + ": label \"" +
                            row.label + "\" does not occur in " + data.train);
  }
  return {};
}

std::string digest_of(const std::vector<Example>& examples) {
  std::string bytes;
  for (const Example& example : examples) {
    const int64_t lengths[2] = {static_cast<int64_t>(example.ids.size()), example.prompt_tokens};
    bytes.append(reinterpret_cast<const char*>(lengths), sizeof lengths);
    bytes.append(reinterpret_cast<const char*>(example.ids.data()),
                 example.ids.size() * sizeof(int32_t));
  }
  return sha256_hex(bytes);
}

bool scores_labels(const JobSpec& spec) {
  return !spec.data.eval.empty() && spec.eval.mode == EvalMode::kLabelLikelihood;
}

Status check_prompts(const std::vector<Example>& rows, const std::string& file) {
  for (const Example& row : rows) {
    if (row.prompt_tokens > 0) continue;
    return invalid_argument(file + " line " + std::to_string(row.line) +
                            ": the prompt has no token; eval.mode label_likelihood and generate "
                            "need one to continue from");
  }
  return {};
}

Result<Dataset> load_data(const JobSpec& spec, const TextCodec& codec, int64_t model_limit) {
  const DataSpec& data = spec.data;
  Dataset out;
  std::vector<Row> train, eval;
  if (!data.train.empty()) {
    PM_ASSIGN(train, read_rows(data.train, data.format));
  }
  if (!data.eval.empty()) {
    PM_ASSIGN(eval, read_rows(data.eval, data.format));
  }
  const int64_t limit = data.max_tokens > 0 ? std::min(data.max_tokens, model_limit) : model_limit;
  const RowEncoder encoder(codec, data, distinct_labels(train.empty() ? eval : train), limit);
  if (data.format == DataFormat::kTextLabel || scores_labels(spec)) {
    PM_TRY(check_eval_labels(eval, encoder, data));
  }
  if (data.few_shot) {
    PM_ASSIGN(train, select_few_shot(train, *data.few_shot, data.train));
  }
  if (!std::holds_alternative<NoMethod>(spec.method)) {
    PM_ASSIGN(out.train, encoder.encode_all(train, data.train));
  }
  PM_ASSIGN(out.eval, encoder.encode_all(eval, data.eval));
  if (scores_labels(spec)) {
    PM_ASSIGN(out.label_ids, encoder.encode_labels());
  }
  if (spec.eval.mode != EvalMode::kLoss) PM_TRY(check_prompts(out.eval, data.eval));
  out.digest = digest_of(out.train);
  return out;
}

Status load_parts(Session& session) {
  const JobSpec& spec = session.spec;
  DecoderOptions options;
  options.dtype = spec.train.dtype == Dtype::kBf16 ? torch::kBFloat16 : torch::kFloat32;
  options.device = session.gang->device();
  PM_ASSIGN(session.codec, load_codec(spec.model));
  PM_ASSIGN(session.model, Decoder::load(spec.model, options));
  const ModelConfig& model = session.model->config();
  PM_ASSIGN(session.data, load_data(spec, *session.codec, model.max_position_embeddings));
  PM_ASSIGN(session.adapter, make_adapter(spec.method, {model, static_cast<uint64_t>(spec.train.seed), options.device}));
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
  return session.agree(load_parts(session));
}

}  // namespace prefixmem::trainer
