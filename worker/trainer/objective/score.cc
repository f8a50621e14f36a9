#include "worker/trainer/objective/score.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/trainer/data/dropout_keys.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/model/joined_batch.h"

namespace prefixmem::trainer {

ScoredBatch::ScoredBatch(const std::vector<int64_t>& indices, const std::vector<Example>& examples,
                         torch::Device device, int64_t min_shared)
    : indices_(indices), device_(device), batch_(pack_rows(indices, examples, min_shared)) {
  for (const int64_t index : indices) lengths_.push_back(examples[index].label_tokens());
  batch_ = batch_.to(device);
}

void ScoredBatch::drop_out(int64_t seed, int64_t step) {
  batch_.dropout_keys =
      dropout_keys(batch_, indices_, static_cast<uint64_t>(seed), step).to(device_);
}

ExampleScores ScoredBatch::score(Decoder& model, Adapter* adapter,
                                 const Reference* reference) const {
  return std::move(score_together(model, {{this, adapter, reference}}).front());
}

std::vector<ExampleScores> score_together(Decoder& model, const std::vector<ScoreCall>& calls) {
  std::vector<const RaggedBatch*> batches;
  std::vector<AdapterSpan> spans;
  std::vector<int64_t> lengths, counts;
  for (const ScoreCall& call : calls) {
    const ScoredBatch& batch = *call.batch;
    batches.push_back(&batch.batch_);
    spans.push_back({call.adapter, batch.tokens(), call.recomputed});
    lengths.insert(lengths.end(), batch.lengths_.begin(), batch.lengths_.end());
    counts.push_back(batch.examples());
  }
  const torch::Tensor all =
      example_sums(model, AdapterSpans(std::move(spans)), join_batches(batches), lengths);
  const auto sums = calls.size() == 1 ? std::vector{all} : all.split_with_sizes(counts);
  std::vector<ExampleScores> scores;
  for (size_t i = 0; i < calls.size(); ++i) {
    const ScoredBatch& batch = *calls[i].batch;
    ExampleScores& own = scores.emplace_back();
    own.sums = sums[i];
    own.lengths = at::tensor(batch.lengths_, all.options().requires_grad(false));
    if (calls[i].reference == nullptr) continue;
    own.reference_sums = calls[i].reference->sums(batch.indices_, batch.batch_, batch.lengths_);
  }
  return scores;
}

}  // namespace prefixmem::trainer
