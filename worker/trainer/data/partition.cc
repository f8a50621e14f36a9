#include "worker/trainer/data/partition.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kFixedParts = 4;  // with as many ranks each still has work

using Batches = std::vector<std::vector<int64_t>>;

Batches fixed_micro_batches(const SharedRows& rows, int64_t limit) {
  std::vector<int64_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0);
  int64_t tokens = 0;
  for (const int64_t row : all) tokens += rows.tokens(row);
  const int64_t part = (tokens + kFixedParts - 1) / kFixedParts;
  return split_micro_batches(rows, all, std::min(limit, part));
}

// To each rank its micro-batches: the largest first, to the rank that has least.
std::vector<Batches> deal(const SharedRows& rows, Batches batches, int ranks) {
  std::vector<std::pair<int64_t, std::vector<int64_t>>> by_size;
  for (auto& batch : batches) by_size.emplace_back(rows.tokens(batch), std::move(batch));
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Batches> dealt(ranks);
  std::vector<int64_t> loads(ranks, 0);
  for (auto& [tokens, batch] : by_size) {
    const auto least = std::min_element(loads.begin(), loads.end()) - loads.begin();
    loads[least] += tokens;
    dealt[least].push_back(std::move(batch));
  }
  return dealt;
}

}  // namespace

std::vector<Batches> cut(const SharedRows& rows, const CutOptions& options) {
  const int64_t limit = options.micro_batch_tokens;
  if (options.fixed) return deal(rows, fixed_micro_batches(rows, limit), options.ranks);
  std::vector<Batches> of_ranks;
  for (const auto& members : split_over_ranks(rows, options.ranks)) {
    of_ranks.push_back(split_micro_batches(rows, members, limit));
  }
  return of_ranks;
}

StepPlan plan_step(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                   const PlanOptions& options) {
  const int64_t per_row = options.examples_per_row;
  StepPlan plan;
  plan.examples = static_cast<int64_t>(rows.size()) * per_row;
  for (const int64_t row : rows) {
    for (int64_t i = row * per_row; i < (row + 1) * per_row; ++i) {
      plan.tokens += examples[i].input_tokens();
      plan.label_tokens += examples[i].label_tokens();
    }
  }
  const SharedRows shared = shared_rows(rows, examples, per_row, options.min_shared);
  const auto of_ranks = cut(shared, {options.ranks, options.micro_batch_tokens, options.fixed});
  for (const auto& batches : of_ranks) plan.rounds = std::max(plan.rounds, batches.size());
  for (const auto& batch : of_ranks[options.rank]) {
    plan.micro_batches.push_back(examples_of(batch, rows, per_row));
  }
  return plan;
}

std::vector<int64_t> examples_of(const std::vector<int64_t>& members,
                                 const std::vector<int64_t>& rows, int64_t examples_per_row) {
  std::vector<int64_t> examples;
  for (const int64_t member : members) {
    const int64_t first = rows[member] * examples_per_row;
    for (int64_t k = 0; k < examples_per_row; ++k) examples.push_back(first + k);
  }
  return examples;
}

}  // namespace prefixmem::trainer
