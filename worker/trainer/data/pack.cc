#include "worker/trainer/data/pack.h"

namespace prefixmem::trainer {

RaggedBatch pack_rows(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                      int64_t min_shared) {
  std::vector<TokenSpan> inputs;
  for (const int64_t row : rows) inputs.push_back(examples[row].inputs());
  const CommonPrefixes sequences(std::move(inputs), min_shared);
  const TokenTrie trie = build_token_trie(sequences);
  RaggedBuilder builder;
  add_segments(trie, sequences, builder);
  for (size_t r = 0; r < rows.size(); ++r) {
    const Example& example = examples[rows[r]];
    const auto count = static_cast<int64_t>(example.ids.size());
    for (int64_t i = example.first_label(); i < count; ++i) {
      const auto [segment, offset] = trie.find(static_cast<int64_t>(r), i - 1);
      builder.label(segment, offset, example.ids[i]);
    }
  }
  return std::move(builder).build();
}

void add_segments(const TokenTrie& trie, const CommonPrefixes& sequences, RaggedBuilder& builder) {
  for (const TokenTrie::Node& node : trie.nodes) {
    const TokenSpan run =
        sequences.sequence(node.sequence).subspan(node.begin, node.end - node.begin);
    builder.add({run.begin(), run.end()}, node.parent);
  }
}

}  // namespace prefixmem::trainer
