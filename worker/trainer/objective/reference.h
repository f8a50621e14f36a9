// Log-probabilities under the reference of a preference objective: the model before any training.
#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "worker/trainer/collective/collective.h"
#include "worker/trainer/data/example.h"
#include "worker/trainer/model/decoder.h"

namespace prefixmem::trainer {

// Sums of the label tokens' log-probabilities of each example of `batch`, fp32 [E], under the model
// with `adapters`. `lengths`: label tokens of each.
torch::Tensor example_sums(Decoder& model, const AdapterSpans& adapters, const RaggedBatch& batch,
                           const std::vector<int64_t>& lengths);

class Reference {
 public:
  virtual ~Reference() = default;
  // Of the examples with these indices, which `batch` holds: fp32 [E], no gradient.
  virtual torch::Tensor sums(const std::vector<int64_t>& examples, const RaggedBatch& batch,
                             const std::vector<int64_t>& lengths) const = 0;
};

// The model with its adapter switched off, at work on each batch. `model` must outlive it.
std::unique_ptr<Reference> adapter_off(Decoder& model);

// For a method that changes the model itself: computes every example once, before the first step,
// the examples split over the ranks, and remembers 4 bytes of each. The same bits whenever it is
// done. Collective.
Result<std::unique_ptr<Reference>> remember_reference(const std::vector<Example>& examples,
                                                      Decoder& model, Collective& gang,
                                                      int64_t micro_batch_tokens);

}  // namespace prefixmem::trainer
