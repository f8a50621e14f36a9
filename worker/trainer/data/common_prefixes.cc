#include "worker/trainer/data/common_prefixes.h"

#include <algorithm>
#include <numeric>

namespace prefixmem::trainer {
namespace {

int64_t common_tokens(TokenSpan a, TokenSpan b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

CommonPrefixes::CommonPrefixes(std::vector<TokenSpan> sequences, int64_t min_shared)
    : sequences_(std::move(sequences)),
      order_(sequences_.size()),
      places_(sequences_.size()),
      shared_(sequences_.size(), 0) {
  std::iota(order_.begin(), order_.end(), 0);
  if (min_shared < kShareNothing) {
    std::stable_sort(order_.begin(), order_.end(), [&](int64_t a, int64_t b) {
      const TokenSpan one = sequences_[a], other = sequences_[b];
      return std::lexicographical_compare(one.begin(), one.end(), other.begin(), other.end());
    });
  }
  for (int64_t i = 0; i < size(); ++i) {
    places_[order_[i]] = i;
    if (i == 0 || min_shared == kShareNothing) continue;
    const int64_t common = common_tokens(sequences_[order_[i - 1]], sequences_[order_[i]]);
    if (common >= min_shared) shared_[i] = common;
  }
}

int64_t CommonPrefixes::shared(int64_t place, int64_t other) const {
  const auto [first, last] = std::minmax(place, other);
  int64_t least = length(at(first));
  for (int64_t i = last; i > first && least > 0; --i) least = std::min(least, shared_[i]);
  return least;
}

}  // namespace prefixmem::trainer
