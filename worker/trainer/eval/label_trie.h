// The labels of a classification as one tree of segments behind a prompt: what labels have in
// common is computed, and scored, once.
#pragma once

#include <cstdint>
#include <vector>

namespace prefixmem::trainer {

struct LabelTrie {
  // A run of label tokens that the model reads. parent -1: follows the prompt; parents come first.
  struct Node {
    std::vector<int32_t> tokens;
    int32_t parent = -1;
  };
  // A place whose hidden state predicts something. node -1: the prompt's last token.
  struct Source {
    int32_t node = -1;
    int64_t offset = -1;
  };
  // `token` predicted at sources[source].
  struct Edge {
    int64_t source = 0;
    int32_t token = 0;
  };

  std::vector<Node> nodes;
  std::vector<Source> sources;
  std::vector<Edge> edges;
  std::vector<std::vector<int64_t>> paths;  // each label's edges: its score is the sum over them
};

// Each label: its token ids with eos, at least one. The last id of a label is predicted, not read
// (unless another label continues it).
LabelTrie build_label_trie(const std::vector<std::vector<int32_t>>& labels);

}  // namespace prefixmem::trainer
