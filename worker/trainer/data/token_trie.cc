#include "worker/trainer/data/token_trie.h"

namespace prefixmem::trainer {
namespace {

class Builder {
 public:
  Builder(const CommonPrefixes& sequences, bool end_with) : sequences_(sequences) {
    trie_.leaves.assign(sequences.size(), -1);
    for (int64_t place = 0; place < sequences.size(); ++place) {
      const bool covered = place + 1 < sequences.size() && length(place) > 0 &&
                           sequences.shared(place, place + 1) == length(place) &&
                           (!end_with || length(place + 1) == length(place));
      if (!covered && length(place) > 0) tips_.push_back(place);
    }
  }

  TokenTrie build() && {
    add(0, tips_.size(), 0, -1);
    for (int64_t place = sequences_.size() - 2; place >= 0; --place) {
      int32_t& leaf = trie_.leaves[sequences_.at(place)];
      if (leaf < 0 && length(place) > 0) leaf = trie_.leaves[sequences_.at(place + 1)];
    }
    return std::move(trie_);
  }

 private:
  int64_t length(int64_t place) const { return sequences_.length(sequences_.at(place)); }
  int64_t shared(size_t tip) const { return sequences_.shared(tips_[tip - 1], tips_[tip]); }

  // Tips [first, last), which share `begin` tokens, below `parent`, whose path these tokens are.
  void add(size_t first, size_t last, int64_t begin, int32_t parent) {
    if (first < last && length(tips_[first]) == begin) {
      trie_.leaves[sequences_.at(tips_[first++])] = parent;
    }
    for (size_t end = first; first < last; first = end) {
      int64_t common = length(tips_[first]);
      for (end = first + 1; end < last && shared(end) > begin; ++end) {
        common = std::min(common, shared(end));
      }
      const auto node = static_cast<int32_t>(trie_.nodes.size());
      trie_.nodes.push_back({sequences_.at(tips_[first]), begin, common, parent});
      if (end == first + 1) {
        trie_.leaves[sequences_.at(tips_[first])] = node;
      } else {
        add(first, end, common, node);
      }
    }
  }

  const CommonPrefixes& sequences_;
  std::vector<int64_t> tips_;  // places of the sequences that no other one begins with
  TokenTrie trie_;
};

}  // namespace

TokenTrie::Place TokenTrie::find(int64_t sequence, int64_t index) const {
  int32_t node = leaves[sequence];
  while (nodes[node].begin > index) node = nodes[node].parent;
  return {node, index - nodes[node].begin};
}

TokenTrie build_token_trie(const CommonPrefixes& sequences, bool end_with) {
  return Builder(sequences, end_with).build();
}

}  // namespace prefixmem::trainer
