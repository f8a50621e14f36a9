#include "worker/trainer/eval/label_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace prefixmem::trainer {

LabelSearch::LabelSearch(const LabelTree& tree, bool length_normalized)
    : tree_(tree), length_normalized_(length_normalized), sums_(tree.size()), open_(tree.size()) {
  open_[LabelTree::kRoot] = 1;
}

void LabelSearch::learn(int32_t node, std::span<const double> children) {
  open_[node] = 0;
  for (size_t i = 0; i < children.size(); ++i) {
    const int32_t child = tree_[node].children[i];
    sums_[child] = sums_[node] + std::min(children[i], 0.0);
    open_[child] = tree_[child].children.empty() ? 0 : 1;
  }
  for (const int32_t child : tree_[node].children) {
    const int64_t label = tree_[child].label;
    if (label < 0) continue;
    const double score = divided(sums_[child], tree_[child].depth);
    if (std::isnan(score)) continue;
    if (best_ < 0 || score > best_score_ || (score == best_score_ && label < best_)) {
      best_ = label;
      best_score_ = score;
    }
  }
}

double LabelSearch::divided(double sum, int64_t tokens) const {
  return length_normalized_ ? sum / static_cast<double>(tokens) : sum;
}

double LabelSearch::bound(int32_t node) const {
  if (std::isnan(sums_[node])) return std::numeric_limits<double>::infinity();
  return divided(sums_[node], tree_[node].longest);
}

std::vector<int32_t> LabelSearch::next(size_t most) const {
  std::vector<int32_t> found;
  for (int32_t node = 0; node < tree_.size(); ++node) {
    if (open_[node] != 0 && (best_ < 0 || bound(node) >= best_score_)) found.push_back(node);
  }
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  std::partial_sort(found.begin(), end, found.end(), [&](int32_t a, int32_t b) {
    return bound(a) != bound(b) ? bound(a) > bound(b) : a < b;
  });
  found.erase(end, found.end());
  return found;
}

}  // namespace prefixmem::trainer
