#include <ATen/ATen.h>

#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/objective/score.h"

namespace prefixmem::trainer {

Result<Tally> score_preference(const EvalContext& context, const std::vector<int64_t>& examples) {
  const ScoredBatch batch(examples, context.examples, context.gang.device());
  ExampleScores scores = batch.score(context.model, context.adapter, nullptr);
  if (context.spec.length_normalized) scores.sums = scores.sums / scores.lengths;
  const torch::Tensor pairs = scores.sums.view({-1, 2});
  const torch::Tensor preferred = pairs.select(1, 0) > pairs.select(1, 1);
  return Tally{preferred.sum().item<double>(), static_cast<double>(preferred.numel())};
}

}  // namespace prefixmem::trainer
