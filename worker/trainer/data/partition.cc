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
                   int ranks, int64_t micro_batch_tokens) {
  StepPlan plan;
  std::vector<int64_t> tokens;
  for (const int64_t row : rows) {
    tokens.push_back(examples[row].input_tokens());
    plan.tokens += tokens.back();
    plan.label_tokens += examples[row].label_tokens();
  }
  const auto members = split_over_ranks(tokens, ranks);
  plan.micro_batches = split_micro_batches(members[rank], tokens, micro_batch_tokens);
  for (auto& batch : plan.micro_batches) {
    for (int64_t& index : batch) index = rows[index];
  }
  return plan;
}

}  // namespace prefixmem::trainer
