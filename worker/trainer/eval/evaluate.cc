#include "worker/trainer/eval/evaluate.h"

#include <torch/autograd.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "common/random.h"
#include "common/spec/enums.h"
#include "worker/trainer/data/partition.h"
#include "worker/trainer/eval/label_batch.h"

namespace prefixmem::trainer {
namespace {

// What the rows cost in one forward. A row's labels branch off its prompt; what is generated
// follows it.
SharedRows costs_of(const EvalContext& context, const std::vector<int64_t>& rows) {
  const EvalMode mode = context.spec.mode;
  if (mode == EvalMode::kLoss || mode == EvalMode::kPreference) {
    return shared_rows(rows, context.examples, context.examples_per_row, kMinShared);
  }
  std::vector<TokenSpan> prompts;
  for (const int64_t row : rows) prompts.push_back(context.examples[row].prompt());
  return {CommonPrefixes(std::move(prompts), kMinShared), 1,
          mode == EvalMode::kGenerate ? context.spec.max_new_tokens
                                      : label_tree_tokens(context.label_ids)};
}

Result<Tally> score_batch(const EvalContext& context, const std::vector<int64_t>& rows) {
  switch (context.spec.mode) {
    case EvalMode::kLabelLikelihood:
      return score_labels(context, rows);
    case EvalMode::kLoss:
      return score_loss(context, rows);
    case EvalMode::kPreference:
      return score_preference(context, rows);
    case EvalMode::kGenerate:
      break;
  }
  return score_generation(context, rows);
}

std::vector<std::vector<int64_t>> batches_of_this_rank(const EvalContext& context,
                                                       const std::vector<int64_t>& rows) {
  const SharedRows costs = costs_of(context, rows);
  const auto mine = split_over_ranks(costs, context.gang.size())[context.gang.rank()];
  std::vector<std::vector<int64_t>> batches;
  for (const auto& members : split_micro_batches(costs, mine, context.micro_batch_tokens)) {
    batches.push_back(examples_of(members, rows, context.examples_per_row));
  }
  return batches;
}

}  // namespace

std::vector<int64_t> sample_rows(int64_t count, const EvalSpec& spec) {
  auto rows = permutation(count, spec.seed, text_key("eval.max_rows"));
  if (spec.max_rows > 0 && spec.max_rows < count) rows.resize(spec.max_rows);
  std::sort(rows.begin(), rows.end());
  return rows;
}

Result<EvalEvent> evaluate(const EvalContext& context, int64_t step) {
  const torch::NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  const auto count = static_cast<int64_t>(context.examples.size()) / context.examples_per_row;
  const auto rows = sample_rows(count, context.spec);
  const Metric metric = metric_of(context.spec);
  Tally sums = empty_tally(metric, context.label_ids.size());
  for (const auto& batch : batches_of_this_rank(context, rows)) {
    if (context.should_stop()) break;
    PM_ASSIGN(const Tally tally, score_batch(context, batch));
    std::transform(sums.begin(), sums.end(), tally.begin(), sums.begin(), std::plus());
  }
  sums.push_back(context.should_stop() ? 1 : 0);
  PM_TRY(context.gang.all_reduce_sum(sums));
  if (sums.back() > 0) {
    return cancelled("stopped during the evaluation at step " + std::to_string(step));
  }
  sums.pop_back();
  EvalEvent event;
  event.step = step;
  event.metric = spec::spelling(metric);
  event.value = metric_value(metric, sums);
  event.rows = static_cast<int64_t>(rows.size());
  event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return event;
}

}  // namespace prefixmem::trainer
