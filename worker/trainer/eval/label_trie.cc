#include "worker/trainer/eval/label_trie.h"

#include <cstddef>
#include <map>
#include <utility>

namespace prefixmem::trainer {
namespace {

// The uncompressed tree; state 0 is the end of the prompt.
struct States {
  struct State {
    int64_t parent = -1;
    int32_t token = -1;  // read to get here
    int64_t children = 0;
  };
  std::vector<State> states = {State{}};
  std::map<std::pair<int64_t, int32_t>, int64_t> next;

  int64_t advance(int64_t from, int32_t token) {
    const auto [entry, added] = next.try_emplace({from, token}, states.size());
    if (added) {
      states.push_back({from, token, 0});
      ++states[from].children;
    }
    return entry->second;
  }
};

// A state continues its parent's run where it is the only child of a state that is in one.
std::vector<LabelTrie::Source> place_states(const States& tree, LabelTrie& trie) {
  std::vector<LabelTrie::Source> places(tree.states.size());
  for (std::size_t i = 1; i < tree.states.size(); ++i) {
    const auto& state = tree.states[i];
    const bool continues = state.parent != 0 && tree.states[state.parent].children == 1;
    int32_t node = places[state.parent].node;
    if (!continues) {
      trie.nodes.push_back({{}, node});
      node = static_cast<int32_t>(trie.nodes.size()) - 1;
    }
    trie.nodes[node].tokens.push_back(state.token);
    places[i] = {node, static_cast<int64_t>(trie.nodes[node].tokens.size()) - 1};
  }
  return places;
}

}  // namespace

LabelTrie build_label_trie(const std::vector<std::vector<int32_t>>& labels) {
  LabelTrie trie;
  States tree;
  std::map<std::pair<int64_t, int32_t>, int64_t> edge_of;
  std::vector<int64_t> edge_states;
  for (const auto& ids : labels) {
    std::vector<int64_t> path;
    int64_t state = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto [entry, added] = edge_of.try_emplace({state, ids[i]}, edge_states.size());
      if (added) edge_states.push_back(state);
      path.push_back(entry->second);
      if (i + 1 < ids.size()) state = tree.advance(state, ids[i]);
    }
    trie.paths.push_back(std::move(path));
  }
  const auto places = place_states(tree, trie);
  trie.sources = places;
  trie.edges.resize(edge_states.size());
  for (const auto& [key, edge] : edge_of) trie.edges[edge] = {key.first, key.second};
  return trie;
}

}  // namespace prefixmem::trainer
