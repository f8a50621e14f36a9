#include "worker/trainer/data/partition.h"

#include <algorithm>
#include <numeric>

namespace prefixmem::trainer {
namespace {

// Rows to ranks.
struct Cut {
  Cut(const SharedRows& rows, int ranks) : members(ranks), loads(ranks, RowGroup(rows)) {}

  void give(int64_t row, size_t rank) {
    members[rank].push_back(row);
    loads[rank].add(row);
  }
  int64_t largest_load() const {
    int64_t largest = 0;
    for (const RowGroup& load : loads) largest = std::max(largest, load.tokens());
    return largest;
  }

  std::vector<std::vector<int64_t>> members;
  std::vector<RowGroup> loads;
};

std::vector<int64_t> all_of(const SharedRows& rows) {
  std::vector<int64_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<int64_t> tokens_of(const SharedRows& rows) {
  std::vector<int64_t> tokens;
  for (int64_t row = 0; row < rows.size(); ++row) tokens.push_back(rows.tokens(row));
  return tokens;
}

Cut longest_first(const SharedRows& rows, int ranks) {
  const auto tokens = tokens_of(rows);
  std::vector<int64_t> order = all_of(rows);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return tokens[a] > tokens[b]; });
  Cut cut(rows, ranks);
  for (const int64_t row : order) {
    size_t best = 0;
    int64_t lowest = 0;
    for (size_t rank = 0; rank < cut.loads.size(); ++rank) {
      const int64_t load = cut.loads[rank].tokens() + cut.loads[rank].cost(row);
      if (rank > 0 && load >= lowest) continue;
      best = rank;
      lowest = load;
    }
    cut.give(row, best);
  }
  return cut;
}

// Of equal shares of the tokens that one rank would compute; a row goes where its middle lies.
Cut runs_in_order(const SharedRows& rows, int ranks) {
  const std::vector<int64_t> order = rows.in_order(all_of(rows));
  RowGroup all(rows);
  std::vector<int64_t> twice_middle;
  for (const int64_t row : order) {
    const int64_t before = all.tokens();
    all.add(row);
    twice_middle.push_back(before + all.tokens());
  }
  Cut cut(rows, ranks);
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t rank = twice_middle[i] * ranks / std::max<int64_t>(1, 2 * all.tokens());
    cut.give(order[i], std::min<int64_t>(rank, ranks - 1));
  }
  return cut;
}

}  // namespace

std::vector<std::vector<int64_t>> split_over_ranks(const SharedRows& rows, int ranks) {
  Cut balanced = longest_first(rows, ranks);
  if (ranks == 1) return std::move(balanced.members);
  Cut together = runs_in_order(rows, ranks);
  const bool better = together.largest_load() < balanced.largest_load();
  return std::move(better ? together.members : balanced.members);
}

}  // namespace prefixmem::trainer
