#include "common/proto/memory_proto.h"

namespace prefixmem {
namespace {

v1::MemoryEstimate message_of(const memory::Estimate& estimate) {
  v1::MemoryEstimate message;
  message.set_weights(estimate.weights);
  message.set_adapter(estimate.adapter);
  message.set_optimizer(estimate.optimizer);
  message.set_activations(estimate.activations);
  message.set_working(estimate.working);
  message.set_program(estimate.program);
  message.set_total(estimate.total());
  return message;
}

}  // namespace

v1::PlacedMemory to_proto(const memory::Placed& placed) {
  v1::PlacedMemory message;
  message.set_host_shared(placed.host_shared);
  message.set_host_rank(placed.host_rank);
  message.set_gpu_rank(placed.gpu_rank);
  message.set_own(placed.own);
  return message;
}

Result<v1::JobMemory> job_memory(JobSpec spec, const ModelConfig& model) {
  spec.resources.ranks = spec.resources.min_ranks.value_or(spec.resources.ranks);
  const memory::PassSize pass = memory::largest_pass(spec, model);
  v1::JobMemory job;
  job.set_name(spec.name);
  job.set_method(method_name(spec.method));
  job.set_tokens(pass.tokens);
  PM_ASSIGN(const auto now, memory::estimate(spec, model, pass));
  *job.mutable_estimate() = message_of(now);
  PM_ASSIGN(const auto checkpointed, memory::estimate(spec, model, pass, model.num_layers));
  *job.mutable_checkpointed() = message_of(checkpointed);
  return job;
}

}  // namespace prefixmem
