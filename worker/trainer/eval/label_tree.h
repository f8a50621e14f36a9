// The labels of a classification as a tree of their tokens: what any of them begin with in common
// stands there once.
#pragma once

#include <cstdint>
#include <vector>

namespace prefixmem::trainer {

class LabelTree {
 public:
  struct Node {
    int32_t token = 0;
    int32_t parent = -1;
    std::vector<int32_t> children;  // by their first label
    int64_t label = -1;             // the first that ends with this token; -1: none does
    int64_t depth = 0;              // tokens of the path to it, itself included
    int64_t longest = 0;            // depth of the deepest label through it
  };
  // Behind the prompt; has no token.
  static constexpr int32_t kRoot = 0;

  // Token ids with eos, at least one a label.
  explicit LabelTree(const std::vector<std::vector<int32_t>>& labels);

  int32_t size() const { return static_cast<int32_t>(nodes_.size()); }
  const Node& operator[](int32_t node) const { return nodes_[node]; }
  // The node and what the model reads behind it in any case, up to where labels part or the next
  // token is a label's last, which is predicted and not read. The node has children.
  std::vector<int32_t> run(int32_t node) const;
  // Tokens that are read where all labels are.
  int64_t read_tokens() const;

 private:
  std::vector<Node> nodes_;
};

}  // namespace prefixmem::trainer
