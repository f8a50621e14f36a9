#include "coordinator/sweep/paired_test.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace prefixmem::sweep {
namespace {

// Twice the ranks of the sizes, whole numbers with ties too; of sorted sizes.
std::vector<int64_t> doubled_ranks(const std::vector<double>& sizes) {
  std::vector<int64_t> ranks(sizes.size());
  for (size_t begin = 0; begin < sizes.size();) {
    size_t end = begin + 1;
    while (end < sizes.size() && sizes[end] == sizes[begin]) ++end;
    // Ranks begin+1 … end share their mean.
    std::fill(ranks.begin() + static_cast<std::ptrdiff_t>(begin),
              ranks.begin() + static_cast<std::ptrdiff_t>(end),
              static_cast<int64_t>(begin + 1 + end));
    begin = end;
  }
  return ranks;
}

// Probability that a sum of ranks, each taken with probability 1/2, is at most `sum`.
double exact_tail(const std::vector<int64_t>& ranks, int64_t sum) {
  int64_t total = 0;
  for (const int64_t rank : ranks) total += rank;
  std::vector<double> probability(static_cast<size_t>(total) + 1, 0);
  probability[0] = 1;
  int64_t reached = 0;
  for (const int64_t rank : ranks) {
    reached += rank;
    for (int64_t at = reached; at >= 0; --at) {
      const double taken = at >= rank ? probability[static_cast<size_t>(at - rank)] : 0;
      double& here = probability[static_cast<size_t>(at)];
      here = (here + taken) / 2;
    }
  }
  double tail = 0;
  for (int64_t at = 0; at <= sum; ++at) tail += probability[static_cast<size_t>(at)];
  return tail;
}

double normal_tail(const std::vector<int64_t>& ranks, int64_t sum) {
  double mean = 0;
  double variance = 0;
  for (const int64_t rank : ranks) {
    mean += static_cast<double>(rank) / 2;
    variance += static_cast<double>(rank) * static_cast<double>(rank) / 4;
  }
  return std::erfc((mean - static_cast<double>(sum)) / std::sqrt(2 * variance)) / 2;
}

}  // namespace

PairedTest signed_rank_test(const std::vector<double>& differences) {
  std::vector<double> kept;
  for (const double one : differences) {
    if (one != 0 && !std::isnan(one)) kept.push_back(one);
  }
  PairedTest test{.pairs = static_cast<int>(kept.size())};
  if (kept.empty()) return test;
  std::sort(kept.begin(), kept.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  std::vector<double> sizes;
  for (const double one : kept) sizes.push_back(std::abs(one));
  const auto ranks = doubled_ranks(sizes);
  int64_t positive = 0;
  int64_t negative = 0;
  for (size_t i = 0; i < kept.size(); ++i) (kept[i] > 0 ? positive : negative) += ranks[i];
  const int64_t smaller = std::min(positive, negative);
  const double tail =
      test.pairs <= kMostExact ? exact_tail(ranks, smaller) : normal_tail(ranks, smaller);
  test.p_value = std::min(1.0, 2 * tail);
  return test;
}

}  // namespace prefixmem::sweep
