#include "worker/trainer/eval/evaluate.h"

#include <torch/autograd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>

#include "worker/trainer/data/partition.h"
#include "worker/trainer/data/random.h"

namespace prefixmem::trainer {
namespace {

const char* metric_name(EvalMode mode) {
  switch (mode) {
    case EvalMode::kLabelLikelihood:
      return "accuracy";
    case EvalMode::kGenerate:
      return "exact_match";
    case EvalMode::kLoss:
      return "loss";
    case EvalMode::kPreference:
      return "preference_accuracy";
  }
  return "";
}

std::vector<int64_t> examples_of(const EvalContext& context, int64_t row) {
  std::vector<int64_t> examples(context.examples_per_row);
  std::iota(examples.begin(), examples.end(), row * context.examples_per_row);
  return examples;
}

// Tokens that a row costs in one forward; a row's labels branch off its prompt.
int64_t row_cost(const EvalContext& context, int64_t row) {
  int64_t cost = 0;
  if (context.spec.mode != EvalMode::kLabelLikelihood) {
    for (const int64_t i : examples_of(context, row)) cost += context.examples[i].input_tokens();
    return cost;
  }
  cost = context.examples[row].prompt_tokens;
  for (const auto& ids : context.label_ids) cost += static_cast<int64_t>(ids.size()) - 1;
  return cost;
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
  return score_generation(context, rows.front());
}

std::vector<std::vector<int64_t>> batches_of_this_rank(const EvalContext& context,
                                                       const std::vector<int64_t>& rows) {
  std::vector<int64_t> costs;
  for (const int64_t row : rows) costs.push_back(row_cost(context, row));
  const auto members = split_over_ranks(costs, context.gang.size())[context.gang.rank()];
  const bool alone = context.spec.mode == EvalMode::kGenerate;
  std::vector<std::vector<int64_t>> batches;
  for (const auto& members_of_batch :
       split_micro_batches(members, costs, alone ? 0 : context.micro_batch_tokens)) {
    auto& batch = batches.emplace_back();
    for (const int64_t index : members_of_batch) {
      const auto examples = examples_of(context, rows[index]);
      batch.insert(batch.end(), examples.begin(), examples.end());
    }
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
  std::array<double, 3> sums{};  // value, weight, stop votes
  for (const auto& batch : batches_of_this_rank(context, rows)) {
    if (context.should_stop()) {
      sums[2] = 1;
      break;
    }
    PM_ASSIGN(const Tally tally, score_batch(context, batch));
    sums[0] += tally.value;
    sums[1] += tally.weight;
  }
  PM_TRY(context.gang.all_reduce_sum(sums));
  if (sums[2] > 0) {
    return cancelled("stopped by a signal during the evaluation at step " + std::to_string(step));
  }
  EvalEvent event;
  event.step = step;
  event.metric = metric_name(context.spec.mode);
  event.value = sums[0] / sums[1];
  event.rows = static_cast<int64_t>(rows.size());
  event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return event;
}

}  // namespace prefixmem::trainer
