// What sequences begin with in common.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace prefixmem::trainer {

using TokenSpan = std::span<const int32_t>;

// Two sequences share a beginning of at least this many tokens. A shorter one saves less than it
// costs: it makes one tree of rows whose attention would otherwise be cut row by row.
constexpr int64_t kMinShared = 8;
// For a job whose rows must be computed apart.
constexpr int64_t kShareNothing = INT64_MAX;

// Sequences in lexicographic order, so that those that share are neighbours; under kShareNothing in
// the order given. They must outlive it.
class CommonPrefixes {
 public:
  CommonPrefixes(std::vector<TokenSpan> sequences, int64_t min_shared);

  int64_t size() const { return static_cast<int64_t>(sequences_.size()); }
  int64_t length(int64_t sequence) const {
    return static_cast<int64_t>(sequences_[sequence].size());
  }
  TokenSpan sequence(int64_t index) const { return sequences_[index]; }

  // The sequence at a place of the order, and the place of a sequence; equal ones by index.
  int64_t at(int64_t place) const { return order_[place]; }
  int64_t place(int64_t sequence) const { return places_[sequence]; }

  // Tokens that the sequences at two places share; 0 where they are fewer than min_shared.
  int64_t shared(int64_t place, int64_t other) const;

 private:
  const std::vector<TokenSpan> sequences_;
  std::vector<int64_t> order_, places_;
  std::vector<int64_t> shared_;  // of the sequences at places i - 1 and i
};

}  // namespace prefixmem::trainer
