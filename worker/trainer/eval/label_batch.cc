#include "worker/trainer/eval/label_batch.h"

#include <map>
#include <utility>

#include "worker/trainer/data/pack.h"
#include "worker/trainer/data/token_trie.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kEveryToken = 1;  // candidates of one prompt make a small tree in any case

using Rows = std::vector<std::vector<int32_t>>;

Rows rows_of(const std::vector<TokenSpan>& prompts, const Rows& labels) {
  Rows rows;
  for (const TokenSpan& prompt : prompts) {
    for (const auto& ids : labels) {
      auto& row = rows.emplace_back(prompt.begin(), prompt.end());
      row.insert(row.end(), ids.begin(), ids.end() - 1);
    }
  }
  return rows;
}

CommonPrefixes prefixes_of(const Rows& rows) {
  return {std::vector<TokenSpan>(rows.begin(), rows.end()), kEveryToken};
}

// Numbers things in the order in which they first come.
template <class Key>
struct Numbers {
  // And whether it is new.
  std::pair<int64_t, bool> of(const Key& key) {
    const auto [entry, added] = known.try_emplace(key, known.size());
    return {entry->second, added};
  }
  std::map<Key, int64_t> known;
};

}  // namespace

LabelBatch pack_labels(const std::vector<TokenSpan>& prompts, const Rows& labels) {
  const Rows rows = rows_of(prompts, labels);
  const CommonPrefixes sequences = prefixes_of(rows);
  const TokenTrie trie = build_token_trie(sequences);
  RaggedBuilder builder;
  add_segments(trie, sequences, builder);

  LabelBatch out;
  Numbers<std::pair<int32_t, int64_t>> sources;
  Numbers<std::pair<int64_t, int32_t>> edges;
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto& ids = labels[row % labels.size()];
    const auto before = static_cast<int64_t>(prompts[row / labels.size()].size()) - 1;
    auto& path = out.paths.emplace_back();
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto place = trie.find(static_cast<int64_t>(row), before + static_cast<int64_t>(i));
      const auto [source, new_source] = sources.of({place.node, place.offset});
      if (new_source) builder.label(place.node, place.offset, 0);
      const auto [edge, new_edge] = edges.of({source, ids[i]});
      if (new_edge) out.edges.push_back({source, ids[i]});
      path.push_back(edge);
    }
  }
  out.batch = std::move(builder).build();
  return out;
}

int64_t label_tree_tokens(const Rows& labels) {
  const Rows rows = rows_of({TokenSpan()}, labels);
  const CommonPrefixes sequences = prefixes_of(rows);
  int64_t tokens = 0;
  for (const auto& node : build_token_trie(sequences).nodes) tokens += node.end - node.begin;
  return tokens;
}

}  // namespace prefixmem::trainer
