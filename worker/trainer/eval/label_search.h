// The likeliest label behind one prompt, found by reading as little of the labels' tree as will do.
//
// A label's score is the sum of log p(token | those before) over its tokens, or that sum over their
// number. No term is above zero, so what has been scored of a path bounds every label that goes on
// from it, and what cannot beat the best label so far is never read (branch and bound; the answer
// is that of reading everything).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/trainer/eval/label_tree.h"

namespace prefixmem::trainer {

class LabelSearch {
 public:
  // `tree` outlives it.
  LabelSearch(const LabelTree& tree, bool length_normalized);

  // log p of each child behind the path to `node`, in their order; first of all those of the root.
  // The node's own score is known. Above zero counts as zero.
  void learn(int32_t node, std::span<const double> children);

  // What to read next, the most promising first and `most` at most: nodes with children, each to be
  // learned from. Empty: best() is the answer.
  std::vector<int32_t> next(size_t most) const;

  // The first of the likeliest labels that have been scored; where no score is a number, the first
  // of all.
  int64_t best() const { return best_ < 0 ? 0 : best_; }

 private:
  double divided(double sum, int64_t tokens) const;
  // No label through the node has a higher score.
  double bound(int32_t node) const;

  const LabelTree& tree_;
  const bool length_normalized_;
  std::vector<double> sums_;  // by node
  std::vector<char> open_;    // by node: scored, has children, not learned from
  int64_t best_ = -1;
  double best_score_ = 0;
};

}  // namespace prefixmem::trainer
