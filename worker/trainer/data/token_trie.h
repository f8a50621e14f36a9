// Sequences as a tree in which what they begin with in common is there once.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/common_prefixes.h"

namespace prefixmem::trainer {

struct TokenTrie {
  // Tokens [begin, end) of a sequence, never empty; its ancestors hold those before.
  struct Node {
    int64_t sequence = 0, begin = 0, end = 0;
    int32_t parent = -1;  // an earlier node; -1: a root
  };
  // A token of the tree.
  struct Place {
    int32_t node = -1;
    int64_t offset = 0;  // from the node's first token
  };

  // Token `index` of a sequence.
  Place find(int64_t sequence, int64_t index) const;

  std::vector<Node> nodes;      // depth first: a node and all below it are neighbours
  std::vector<int32_t> leaves;  // by sequence: a node whose path begins with it; -1: it is empty
};

// Branches stand where sequences part, so that no token is there twice but of beginnings shorter
// than the sequences' min_shared. A sequence that another one begins with has no node of its own:
// it may end within one, unless nodes are to `end_with` sequences.
TokenTrie build_token_trie(const CommonPrefixes& sequences, bool end_with = false);

}  // namespace prefixmem::trainer
