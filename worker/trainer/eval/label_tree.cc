#include "worker/trainer/eval/label_tree.h"

#include <algorithm>
#include <map>
#include <utility>

namespace prefixmem::trainer {

LabelTree::LabelTree(const std::vector<std::vector<int32_t>>& labels) : nodes_(1) {
  std::map<std::pair<int32_t, int32_t>, int32_t> known;  // by parent and token
  const auto child = [&](int32_t node, int32_t token) {
    const auto [entry, added] = known.try_emplace({node, token}, size());
    if (!added) return entry->second;
    Node below;
    below.token = token;
    below.parent = node;
    below.depth = nodes_[node].depth + 1;
    nodes_.push_back(std::move(below));
    nodes_[node].children.push_back(entry->second);
    return entry->second;
  };
  for (size_t label = 0; label < labels.size(); ++label) {
    const auto tokens = static_cast<int64_t>(labels[label].size());
    const auto pass = [&](int32_t node) {
      nodes_[node].longest = std::max(nodes_[node].longest, tokens);
      return node;
    };
    int32_t node = pass(kRoot);
    for (const int32_t token : labels[label]) node = pass(child(node, token));
    if (nodes_[node].label < 0) nodes_[node].label = static_cast<int64_t>(label);
  }
}

int64_t LabelTree::read_tokens() const {
  return std::count_if(nodes_.begin() + 1, nodes_.end(),
                       [](const Node& node) { return !node.children.empty(); });
}

std::vector<int32_t> LabelTree::run(int32_t node) const {
  std::vector<int32_t> nodes = {node};
  while (nodes_[nodes.back()].children.size() == 1) {
    const int32_t next = nodes_[nodes.back()].children.front();
    if (nodes_[next].children.empty()) break;
    nodes.push_back(next);
  }
  return nodes;
}

}  // namespace prefixmem::trainer
