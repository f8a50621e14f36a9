#include "worker/trainer/data/partition.h"

#include <algorithm>
#include <utility>

namespace prefixmem::trainer {
namespace {

bool share(const SharedRows& rows, int64_t a, int64_t b) {
  return rows.sequences.shared(rows.place(a), rows.place(b)) > 0;
}

// Families of rows that share, in lexicographic order, that of the longest row first.
std::vector<std::vector<int64_t>> families_of(const SharedRows& rows,
                                              const std::vector<int64_t>& members) {
  struct Family {
    std::vector<int64_t> rows;
    int64_t longest = 0;
  };
  std::vector<Family> families;
  for (const int64_t row : rows.in_order(members)) {
    if (families.empty() || !share(rows, families.back().rows.back(), row)) families.emplace_back();
    families.back().rows.push_back(row);
    families.back().longest = std::max(families.back().longest, rows.tokens(row));
  }
  std::stable_sort(families.begin(), families.end(),
                   [](const Family& a, const Family& b) { return a.longest > b.longest; });
  std::vector<std::vector<int64_t>> rows_of;
  for (Family& family : families) rows_of.push_back(std::move(family.rows));
  return rows_of;
}

// Micro-batches as they fill.
class Slots {
 public:
  Slots(const SharedRows& rows, int64_t limit) : rows_(rows), limit_(limit) {}

  bool has_room(size_t slot, int64_t row) const {
    return loads_[slot].tokens() + loads_[slot].cost(row) <= limit_;
  }
  // The first with room for all of a row.
  size_t first_for(int64_t row) {
    const int64_t tokens = rows_.tokens(row);
    size_t slot = 0;
    while (slot < loads_.size() && loads_[slot].tokens() + tokens > limit_) ++slot;
    if (slot == loads_.size()) {
      loads_.emplace_back(rows_);
      members_.emplace_back();
    }
    return slot;
  }
  void give(int64_t row, size_t slot) {
    loads_[slot].add(row);
    members_[slot].push_back(row);
  }
  std::vector<std::vector<int64_t>> take() { return std::move(members_); }

 private:
  const SharedRows& rows_;
  const int64_t limit_;
  std::vector<RowGroup> loads_;
  std::vector<std::vector<int64_t>> members_;
};

}  // namespace

std::vector<std::vector<int64_t>> split_micro_batches(const SharedRows& rows,
                                                      const std::vector<int64_t>& members,
                                                      int64_t limit) {
  Slots slots(rows, limit);
  for (const auto& family : families_of(rows, members)) {
    for (size_t i = 0, slot = 0; i < family.size(); ++i) {
      if (i == 0 || !slots.has_room(slot, family[i])) slot = slots.first_for(family[i]);
      slots.give(family[i], slot);
    }
  }
  return slots.take();
}

}  // namespace prefixmem::trainer
