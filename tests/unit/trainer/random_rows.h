// Rows of tokens that begin as others do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace prefixmem::trainer {

struct RandomRowsOptions {
  size_t most_rows;
  size_t least_own, most_own;  // tokens of a row behind what it took from another
  uint32_t vocabulary;
  double taking;  // share of the rows that begin as another one does
};

// At least one row.
inline std::vector<std::vector<int32_t>> random_rows(std::mt19937& random,
                                                     const RandomRowsOptions& options) {
  std::vector<std::vector<int32_t>> rows(1 + random() % options.most_rows);
  std::bernoulli_distribution takes(options.taking);
  for (auto& row : rows) {
    if (takes(random)) {
      row = rows[random() % rows.size()];
      row.resize(random() % (row.size() + 1));
    }
    const size_t own = options.least_own + random() % (options.most_own - options.least_own + 1);
    for (size_t i = 0; i < own; ++i)
      row.push_back(static_cast<int32_t>(random() % options.vocabulary));
  }
  return rows;
}

}  // namespace prefixmem::trainer
