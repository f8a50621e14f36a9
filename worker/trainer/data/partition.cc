#include "worker/trainer/data/partition.h"

#include <algorithm>
#include <numeric>

namespace prefixmem::trainer {

std::vector<std::vector<int64_t>> split_over_ranks(const std::vector<int64_t>& tokens, int ranks) {
  std::vector<int64_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return tokens[a] > tokens[b]; });
  std::vector<std::vector<int64_t>> members(ranks);
  std::vector<int64_t> load(ranks, 0);
  for (const int64_t index : order) {
    const auto lightest = std::min_element(load.begin(), load.end()) - load.begin();
    members[lightest].push_back(index);
    load[lightest] += tokens[index];
  }
  return members;
}

std::vector<std::vector<int64_t>> split_micro_batches(const std::vector<int64_t>& members,
                                                      const std::vector<int64_t>& tokens,
                                                      int64_t limit) {
  std::vector<std::vector<int64_t>> batches;
  std::vector<int64_t> load;
  for (const int64_t index : members) {
    size_t slot = 0;
    while (slot < load.size() && load[slot] + tokens[index] > limit) ++slot;
    if (slot == load.size()) {
      batches.emplace_back();
      load.push_back(0);
    }
    batches[slot].push_back(index);
    load[slot] += tokens[index];
  }
  return batches;
}

StepPlan plan_step(const std::vector<int64_t>& rows, const std::vector<Example>& examples, int rank,
                   int ranks, int64_t micro_batch_tokens, int64_t examples_per_row) {
  StepPlan plan;
  plan.examples = static_cast<int64_t>(rows.size()) * examples_per_row;
  std::vector<int64_t> tokens(rows.size(), 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (int64_t k = 0; k < examples_per_row; ++k) {
      const Example& example = examples[rows[i] * examples_per_row + k];
      tokens[i] += example.input_tokens();
      plan.label_tokens += example.label_tokens();
    }
    plan.tokens += tokens[i];
  }
  const auto members = split_over_ranks(tokens, ranks);
  for (const auto& some : members) {
    const auto batches = split_micro_batches(some, tokens, micro_batch_tokens);
    plan.rounds = std::max(plan.rounds, batches.size());
  }
  for (const auto& batch : split_micro_batches(members[rank], tokens, micro_batch_tokens)) {
    auto& out = plan.micro_batches.emplace_back();
    for (const int64_t index : batch) {
      for (int64_t k = 0; k < examples_per_row; ++k) {
        out.push_back(rows[index] * examples_per_row + k);
      }
    }
  }
  return plan;
}

}  // namespace prefixmem::trainer
