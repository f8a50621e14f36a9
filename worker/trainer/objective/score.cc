#include "worker/trainer/objective/score.h"

#include <ATen/ATen.h>

#include "worker/trainer/data/dropout_keys.h"
#include "worker/trainer/data/pack.h"

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
  ExampleScores scores;
  scores.sums = example_sums(model, adapter, batch_, lengths_);
  scores.lengths = at::tensor(lengths_, scores.sums.options().requires_grad(false));
  if (reference != nullptr) scores.reference_sums = reference->sums(indices_, batch_, lengths_);
  return scores;
}

}  // namespace prefixmem::trainer
