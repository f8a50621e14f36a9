#include <ATen/ATen.h>

#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/objective/score.h"

namespace prefixmem::trainer {

Result<Tally> score_loss(const EvalContext& context, const std::vector<int64_t>& examples) {
  const ScoredBatch batch(examples, context.examples, context.gang.device());
  const ExampleScores scores = batch.score(context.model, context.adapter, context.reference);
  return Tally{
      context.objective.loss_sum(scores).item<double>(),
      static_cast<double>(context.objective.units(batch.examples(), batch.label_tokens()))};
}

}  // namespace prefixmem::trainer
