#include <torch/torch.h>

#include "worker/trainer/data/pack.h"
#include "worker/trainer/eval/evaluate.h"

namespace prefixmem::trainer {

Result<Tally> score_loss(const EvalContext& context, const std::vector<int64_t>& rows) {
  const RaggedBatch batch = pack_rows(rows, context.rows).to(context.gang.device());
  const torch::Tensor hidden = context.model.hidden(batch, context.adapter, batch.label_sources);
  const torch::Tensor log_probs = context.model.token_log_probs(hidden, batch.label_ids);
  return Tally{-log_probs.to(torch::kFloat64).sum().item<double>(),
               static_cast<double>(log_probs.numel())};
}

}  // namespace prefixmem::trainer
