#include "worker/trainer/eval/evaluate.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <algorithm>
#include <chrono>

#include "common/random.h"
#include "common/spec/enums.h"
#include "worker/trainer/collective/exact_sum.h"
#include "worker/trainer/data/partition.h"
#include "worker/trainer/eval/label_tree.h"

namespace prefixmem::trainer {
namespace {

// What the rows cost in one forward. Of the labels that branch off a prompt about half are read at
// the most, seldom more than a tenth; what is generated follows it.
SharedRows costs_of(const EvalContext& context, const std::vector<int64_t>& rows) {
  const EvalMode mode = context.spec.mode;
  if (mode == EvalMode::kLoss || mode == EvalMode::kPreference) {
    return shared_rows(rows, context.examples, context.examples_per_row, kMinShared);
  }
  std::vector<TokenSpan> prompts;
  for (const int64_t row : rows) prompts.push_back(context.examples[row].prompt());
  return {CommonPrefixes(std::move(prompts), kMinShared), 1,
          mode == EvalMode::kGenerate ? context.spec.max_new_tokens
                                      : LabelTree(context.label_ids).read_tokens() / 2};
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
  const auto of_ranks =
      cut(costs, {context.gang.size(), context.micro_batch_tokens, context.any_ranks});
  std::vector<std::vector<int64_t>> batches;
  for (const auto& members : of_ranks[context.gang.rank()]) {
    batches.push_back(examples_of(members, rows, context.examples_per_row));
  }
  return batches;
}

Tally tally_of(const torch::Tensor& sums) {
  const double* const begin = sums.const_data_ptr<double>();
  return {begin, begin + sums.numel()};
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
  const size_t parts = empty_tally(metric, context.label_ids.size()).size();
  ExactSum sums(static_cast<int64_t>(parts), at::kCPU);
  for (const auto& batch : batches_of_this_rank(context, rows)) {
    if (context.should_stop()) break;
    PM_ASSIGN(const Tally tally, score_batch(context, batch));
    sums.add(at::tensor(tally, at::kDouble));
  }
  double stop = context.should_stop() ? 1 : 0;
  PM_TRY(context.gang.all_reduce_sum({&stop, 1}));
  PM_TRY(sums.sum_over(context.gang));
  if (stop > 0) {
    return cancelled("stopped during the evaluation at step " + std::to_string(step));
  }
  EvalEvent event;
  event.step = step;
  event.metric = spec::spelling(metric);
  event.value = metric_value(metric, tally_of(sums.value()));
  event.rows = static_cast<int64_t>(rows.size());
  event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return event;
}

}  // namespace prefixmem::trainer
