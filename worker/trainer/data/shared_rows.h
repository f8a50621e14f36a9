// What rows cost in company: tokens that several of them begin with are computed once.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "worker/trainer/data/common_prefixes.h"
#include "worker/trainer/data/example.h"

namespace prefixmem::trainer {

// Rows that may be computed in any company, each of one or more sequences of tokens.
struct SharedRows {
  int64_t size() const { return sequences.size() / per_row; }
  int64_t first(int64_t row) const { return row * per_row; }  // its first sequence
  int64_t place(int64_t row) const { return sequences.place(first(row)); }
  // What a row costs alone, and some rows together.
  int64_t tokens(int64_t row) const;
  int64_t tokens(const std::vector<int64_t>& members) const;
  // The same rows in lexicographic order.
  std::vector<int64_t> in_order(std::vector<int64_t> members) const;

  CommonPrefixes sequences;  // row r has those from r * per_row on
  int64_t per_row = 1;
  int64_t own_tokens = 0;  // that each row costs besides, never shared
};

// The inputs of `examples`, `per_row` of them a row. They must outlive it.
SharedRows shared_rows(const std::vector<Example>& examples, int64_t per_row, int64_t min_shared);
// The same of examples per_row * r, per_row * r + 1, … for each r in `rows`.
SharedRows shared_rows(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                       int64_t per_row, int64_t min_shared);

// Some of the rows, computed together. They must outlive it.
class RowGroup {
 public:
  explicit RowGroup(const SharedRows& rows) : rows_(&rows) {}

  int64_t tokens() const { return tokens_; }
  // By how much `row` would raise that.
  int64_t cost(int64_t row) const;
  void add(int64_t row);

 private:
  // The most that a sequence shares with one of the group.
  int64_t shared(int64_t sequence) const;

  const SharedRows* rows_;
  std::set<int64_t> places_;
  int64_t tokens_ = 0;
};

}  // namespace prefixmem::trainer
