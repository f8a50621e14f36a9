#include <torch/types.h>

#include <algorithm>

#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/eval/label_batch.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kLogitRows = 64;  // rows of logits held at once

// log p(token | source) of edges given as (row of `hidden`, token).
std::vector<double> edge_scores(Decoder& model, const torch::Tensor& hidden,
                                const std::vector<LabelBatch::Edge>& edges) {
  std::vector<int64_t> sources, tokens;
  for (const auto& edge : edges) {
    sources.push_back(edge.source);
    tokens.push_back(edge.token);
  }
  std::vector<double> scores(edges.size());
  for (int64_t begin = 0; begin < hidden.size(0); begin += kLogitRows) {
    const int64_t end = std::min(begin + kLogitRows, hidden.size(0));
    const torch::Tensor logits = model.logits(hidden.slice(0, begin, end));
    std::vector<int64_t> rows, ids, which;
    for (size_t i = 0; i < edges.size(); ++i) {
      if (sources[i] < begin || sources[i] >= end) continue;
      rows.push_back(sources[i] - begin);
      ids.push_back(tokens[i]);
      which.push_back(static_cast<int64_t>(i));
    }
    const auto row_index = torch::tensor(rows, torch::kInt64).to(logits.device());
    const auto id_index = torch::tensor(ids, torch::kInt64).to(logits.device());
    const torch::Tensor normaliser = logits.logsumexp(1);
    const torch::Tensor picked =
        (logits.index({row_index, id_index}) - normaliser.index({row_index})).cpu().contiguous();
    const auto values = picked.accessor<float, 1>();
    for (size_t i = 0; i < which.size(); ++i) scores[which[i]] = values[static_cast<int64_t>(i)];
  }
  return scores;
}

// The likeliest of `count` labels, whose paths stand at `paths`; the first of equals.
int64_t best_label(const std::vector<int64_t>* paths, size_t count,
                   const std::vector<double>& edge_score, bool length_normalized) {
  int64_t best = 0;
  double best_score = 0;
  for (size_t label = 0; label < count; ++label) {
    double score = 0;
    for (const int64_t edge : paths[label]) score += edge_score[edge];
    if (length_normalized) score /= static_cast<double>(paths[label].size());
    if (label == 0 || score > best_score) {
      best = static_cast<int64_t>(label);
      best_score = score;
    }
  }
  return best;
}

}  // namespace

Result<Tally> score_labels(const EvalContext& context, const std::vector<int64_t>& rows) {
  std::vector<TokenSpan> prompts;
  for (const int64_t row : rows) prompts.push_back(context.examples[row].prompt());
  const LabelBatch labels = pack_labels(prompts, context.label_ids);
  const RaggedBatch batch = labels.batch.to(context.gang.device());
  const torch::Tensor hidden = context.model.hidden(batch, context.adapter, batch.label_sources);
  const auto scores = edge_scores(context.model, hidden, labels.edges);
  const size_t count = context.label_ids.size();
  Tally tally = empty_tally(metric_of(context.spec), count);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t best =
        best_label(labels.paths.data() + i * count, count, scores, context.spec.length_normalized);
    count_label(tally, context.examples[rows[i]].label, best);
  }
  return tally;
}

}  // namespace prefixmem::trainer
