#include <torch/types.h>

#include <algorithm>

#include "worker/trainer/data/pack.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/eval/label_search.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kLogitRows = 64;  // rows of logits held at once

// A node of the labels' tree behind a row's prompt.
struct Spot {
  size_t row;
  int32_t node;
};

// A micro-batch: its prompts in the model's cache, behind each as much of the labels' tree as its
// search asks for.
class LabelReader {
 public:
  LabelReader(const EvalContext& context, const LabelTree& tree, size_t rows)
      : context_(context),
        tree_(tree),
        cache_(context.model.new_cache()),
        searches_(rows, LabelSearch(tree, context.spec.length_normalized)),
        ends_(rows, std::vector<int32_t>(tree.size(), -1)) {}

  // What they begin with in common is computed once.
  void read_prompts(const std::vector<TokenSpan>& prompts);
  // What is wanted now, `most` nodes of a row at most; nothing once all rows have their answers.
  std::vector<Spot> wanted(size_t most) const;
  // Each node with its run.
  void read(const std::vector<Spot>& spots);

  int64_t best(size_t row) const { return searches_[row].best(); }

 private:
  // The label source at the same index of the batch predicts the children of what is asked.
  void compute(RaggedBuilder builder, const std::vector<Spot>& asked);
  void learn(const torch::Tensor& hidden, std::span<const Spot> asked);

  const EvalContext& context_;
  const LabelTree& tree_;
  const std::shared_ptr<RowCache> cache_;
  std::vector<LabelSearch> searches_;
  std::vector<Segment> segments_;           // computed so far
  std::vector<std::vector<int32_t>> ends_;  // by row and node: the segment that ends there
};

void LabelReader::read_prompts(const std::vector<TokenSpan>& prompts) {
  const CommonPrefixes sequences(prompts, kMinShared);
  const TokenTrie trie = build_token_trie(sequences, /*end_with=*/true);
  RaggedBuilder builder;
  add_segments(trie, sequences, builder);
  std::vector<Spot> asked;
  for (size_t row = 0; row < prompts.size(); ++row) {
    const int32_t segment = trie.leaves[row];
    ends_[row][LabelTree::kRoot] = segment;
    builder.label(segment, -1, 0);
    asked.push_back({row, LabelTree::kRoot});
  }
  compute(std::move(builder), asked);
}

std::vector<Spot> LabelReader::wanted(size_t most) const {
  std::vector<Spot> spots;
  for (size_t row = 0; row < searches_.size(); ++row) {
    for (const int32_t node : searches_[row].next(most)) spots.push_back({row, node});
  }
  return spots;
}

void LabelReader::read(const std::vector<Spot>& spots) {
  for (size_t i = 0; i < spots.size();) {
    RaggedBuilder builder(segments_);
    std::vector<Spot> asked;
    for (; i < spots.size(); ++i) {
      const auto [row, node] = spots[i];
      const auto run = tree_.run(node);
      const auto count = static_cast<int64_t>(run.size());
      if (!asked.empty() && builder.token_count() + count > context_.micro_batch_tokens) break;
      std::vector<int32_t> tokens;
      for (const int32_t read : run) tokens.push_back(tree_[read].token);
      const int32_t segment = builder.add(tokens, ends_[row][tree_[node].parent]);
      ends_[row][run.back()] = segment;
      for (int64_t offset = 0; offset < count; ++offset) {
        builder.label(segment, offset, 0);
        asked.push_back({row, run[offset]});
      }
    }
    compute(std::move(builder), asked);
  }
}

void LabelReader::compute(RaggedBuilder builder, const std::vector<Spot>& asked) {
  RaggedBatch batch = std::move(builder).build();
  const torch::Tensor hidden =
      context_.model.grow(*cache_, batch.to(context_.gang.device()), context_.adapter);
  segments_ = std::move(batch.segments);
  for (size_t begin = 0; begin < asked.size(); begin += kLogitRows) {
    const size_t count = std::min<size_t>(kLogitRows, asked.size() - begin);
    learn(hidden.narrow(0, static_cast<int64_t>(begin), static_cast<int64_t>(count)),
          std::span(asked).subspan(begin, count));
  }
}

void LabelReader::learn(const torch::Tensor& hidden, std::span<const Spot> asked) {
  std::vector<int64_t> rows, tokens;
  for (size_t i = 0; i < asked.size(); ++i) {
    for (const int32_t child : tree_[asked[i].node].children) {
      rows.push_back(static_cast<int64_t>(i));
      tokens.push_back(tree_[child].token);
    }
  }
  const torch::Tensor logits = context_.model.logits(hidden);
  const auto row_index = torch::tensor(rows, torch::kInt64).to(logits.device());
  const auto token_index = torch::tensor(tokens, torch::kInt64).to(logits.device());
  const torch::Tensor scores =
      (logits.index({row_index, token_index}) - logits.logsumexp(1).index({row_index}))
          .to(torch::kCPU, torch::kDouble)
          .contiguous();
  std::span<const double> left(scores.const_data_ptr<double>(), rows.size());
  for (const auto& [row, node] : asked) {
    const size_t count = tree_[node].children.size();
    searches_[row].learn(node, left.first(count));
    left = left.subspan(count);
  }
}

}  // namespace

Result<Tally> score_labels(const EvalContext& context, const std::vector<int64_t>& rows) {
  std::vector<TokenSpan> prompts;
  for (const int64_t row : rows) prompts.push_back(context.examples[row].prompt());
  const LabelTree tree(context.label_ids);
  LabelReader reader(context, tree, rows.size());
  reader.read_prompts(prompts);
  // One first, which mostly leads to a likely label; then twice as many each time, for few
  // forwards.
  size_t most = 1;
  for (auto spots = reader.wanted(most); !spots.empty(); spots = reader.wanted(most *= 2)) {
    reader.read(spots);
  }
  Tally tally = empty_tally(metric_of(context.spec), context.label_ids.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    count_label(tally, context.examples[rows[i]].label, reader.best(i));
  }
  return tally;
}

}  // namespace prefixmem::trainer
