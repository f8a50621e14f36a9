#include "worker/trainer/data/shared_rows.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace prefixmem::trainer {

int64_t SharedRows::tokens(int64_t row) const { return RowGroup(*this).cost(row); }

int64_t SharedRows::tokens(const std::vector<int64_t>& members) const {
  RowGroup group(*this);
  for (const int64_t row : members) group.add(row);
  return group.tokens();
}

std::vector<int64_t> SharedRows::in_order(std::vector<int64_t> members) const {
  std::sort(members.begin(), members.end(),
            [&](int64_t a, int64_t b) { return place(a) < place(b); });
  return members;
}

SharedRows shared_rows(const std::vector<Example>& examples, int64_t per_row, int64_t min_shared) {
  std::vector<int64_t> all(examples.size() / per_row);
  std::iota(all.begin(), all.end(), 0);
  return shared_rows(all, examples, per_row, min_shared);
}

SharedRows shared_rows(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                       int64_t per_row, int64_t min_shared) {
  std::vector<TokenSpan> inputs;
  for (const int64_t row : rows) {
    for (int64_t k = 0; k < per_row; ++k) inputs.push_back(examples[row * per_row + k].inputs());
  }
  return {CommonPrefixes(std::move(inputs), min_shared), per_row};
}

int64_t RowGroup::shared(int64_t sequence) const {
  const int64_t place = rows_->sequences.place(sequence);
  const auto after = places_.lower_bound(place);
  int64_t most = 0;
  if (after != places_.end()) most = rows_->sequences.shared(place, *after);
  if (after != places_.begin()) {
    most = std::max(most, rows_->sequences.shared(*std::prev(after), place));
  }
  return most;
}

int64_t RowGroup::cost(int64_t row) const {
  const CommonPrefixes& sequences = rows_->sequences;
  const int64_t first = rows_->first(row);
  int64_t cost = rows_->own_tokens;
  for (int64_t i = first; i < first + rows_->per_row; ++i) {
    int64_t most = shared(i);
    for (int64_t before = first; before < i; ++before) {
      most = std::max(most, sequences.shared(sequences.place(before), sequences.place(i)));
    }
    cost += sequences.length(i) - most;
  }
  return cost;
}

void RowGroup::add(int64_t row) {
  tokens_ += cost(row);
  const int64_t first = rows_->first(row);
  for (int64_t i = first; i < first + rows_->per_row; ++i) {
    places_.insert(rows_->sequences.place(i));
  }
}

}  // namespace prefixmem::trainer
