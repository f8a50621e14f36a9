#include "worker/trainer/train/session.h"

#include <algorithm>
#include <vector>

#include "common/spec/spec_io.h"
#include "worker/trainer/model/model_path.h"
#include "worker/trainer/train/fingerprint.h"
#include "worker/trainer/train/fit.h"
#include "worker/trainer/train/guard.h"
#include "worker/trainer/train/memory.h"

namespace prefixmem::trainer {
namespace {

// What full fine-tuning writes is a folder like the base's.
Status check_full(const JobSpec& spec) {
  if (!std::holds_alternative<FullMethod>(spec.method)) return {};
  PM_ASSIGN(const ModelPath base, find_model(spec.model));
  if (base.gguf.empty()) return {};
  return invalid_argument("method full cannot start from the GGUF file " + base.gguf.string() +
                          "; allowed: a Hugging Face folder with safetensors");
}

Status load_parts(Session& session) {
  const JobSpec& spec = session.spec;
  Base& base = session.base;
  const ModelConfig& model = base.model->config();
  PM_ASSIGN(session.adapter,
            make_adapter(spec.method, {model, static_cast<uint64_t>(spec.train.seed),
                                       base.gang->device(), base.model.get(), base.codec.get()}));
  const Positions positions{model.max_position_embeddings,
                            session.adapter ? session.adapter->prefix_length() : 0};
  PM_ASSIGN(session.data, base.dataset(spec, positions));
  session.objective = make_objective(spec.objective);
  const bool saved = session.adapter && spec.train.output != Output::kNone;
  if (session.leads() && saved && session.adapter->trains_model()) {
    base.probe();  // as it is before that
  }
  return {};
}

// What is free of this rank's memory beside the base, some of whose file may still have to be read,
// or where ranks share its layers none has been gathered yet.
Result<int64_t> free_bytes(const Base& base) {
  const int ranks = base.gang->local_size();
  const torch::Device device = base.gang->device();
  int64_t free = 0;
  PM_TRY(torch_guarded([&] {
    free = available_bytes(device, ranks);
    return Status();
  }));
  if (!device.is_cpu()) return free;
  PM_ASSIGN(const auto needed, memory::estimate(base.spec, base.model->config(), {}));
  const int64_t to_come = memory::shards_weights(base.spec)
                              ? memory::gathered_bytes(base.spec, base.model->config())
                              : needed.weights / ranks;
  free = std::max<int64_t>(0, free - to_come);
  if (base.memory == 0) return free;
  const int64_t own = beside_the_base(base.memory, ranks, base.spec, needed) - base.trained();
  return std::max<int64_t>(0, std::min(free, own));
}

// Of the rank that has least.
Result<int64_t> least_free_bytes(Session& session) {
  const auto mine = free_bytes(session.base);
  PM_TRY(session.agree(mine.status()));
  Collective& gang = *session.base.gang;
  std::vector<double> of_ranks(gang.size());
  of_ranks[gang.rank()] = static_cast<double>(*mine);
  PM_TRY(gang.all_reduce_sum(of_ranks));
  return static_cast<int64_t>(*std::min_element(of_ranks.begin(), of_ranks.end()));
}

// A prediction: where it is more than what is free, the job may still do.
Status fit_memory(Session& session) {
  if (!session.adapter) return {};
  PM_ASSIGN(const int64_t free, least_free_bytes(session));
  JobSpec spec = session.spec;
  spec.resources.ranks = session.base.gang->size();
  const bool shared = session.trial != TrialEvent::kWholeGang;
  const auto found = find_fit(spec, session.base.model->config(),
                              pass_over(spec, session.data->train, shared), free);
  PM_TRY(session.agree(found.status()));
  session.recomputed_layers = found->recomputed_layers;
  session.trained = session.base.note_trained(found->trained);
  if (found->note.empty()) return {};
  return session.emit(LogEvent{0, found->is_enough ? "info" : "warning", found->note});
}

// Ranks on several hosts each read their host's files. Collective.
Status check_hosts(Session& session) {
  Collective& gang = *session.base.gang;
  PM_TRY(check_same(gang, "rows", session.data->digest));
  if (!session.spec.train.deterministic) return {};
  return check_same(gang, "hardware or libraries, which train.deterministic does not allow",
                    machine_fingerprint(gang, true));
}

// Of the model as it is before the first step; collective where it has to be remembered.
Status load_references(Session& session) {
  if (!session.objective->has_reference()) return {};
  Decoder& model = *session.base.model;
  if (!session.adapter || !session.adapter->trains_model()) {
    session.train_reference = adapter_off(model);
    session.eval_reference = adapter_off(model);
    return {};
  }
  const int64_t tokens = session.spec.train.micro_batch_tokens;
  const auto remember = [&](const std::vector<Example>& examples) {
    return remember_reference(examples, model, *session.base.gang, tokens);
  };
  PM_ASSIGN(session.train_reference, remember(session.data->train));
  PM_ASSIGN(session.eval_reference, remember(session.data->eval));
  return {};
}

}  // namespace

Status check_method(const JobSpec& spec, bool alone) {
  if (alone) return check_full(spec);
  if (!std::holds_alternative<FullMethod>(spec.method) &&
      !std::holds_alternative<NoMethod>(spec.method)) {
    return {};
  }
  return invalid_argument("method is " + std::string(method_name(spec.method)) +
                          "; allowed in a bank: methods that train an adapter");
}

Status load_session(Session& session) {
  PM_TRY(session.agree(torch_guarded([&] { return load_parts(session); })));
  PM_TRY(session.together(check_hosts(session)));
  PM_TRY(fit_memory(session));
  PM_TRY(load_references(session));
  for (const std::string& note : session.data->notes) {
    PM_TRY(session.emit(LogEvent{0, "warning", note}));
  }
  return {};
}

}  // namespace prefixmem::trainer
