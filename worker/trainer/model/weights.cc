#include "worker/trainer/model/weights.h"

#include <ATen/ATen.h>

#include "worker/trainer/model/sharded_layers.h"
#include "worker/trainer/model/weight_slots.h"
#include "worker/trainer/model/weight_source.h"

namespace prefixmem::trainer {

Result<ModelWeights> load_weights(const std::filesystem::path& model, const ModelConfig& config,
                                  const DecoderOptions& options) {
  PM_ASSIGN(const auto source, open_weights(model, config));
  ModelWeights weights;
  weights.layers.resize(config.num_layers);
  const auto slots = weight_slots(weights, config);
  if (options.sharded_over != nullptr) {
    weights.shards = std::make_shared<ShardedLayers>(*options.sharded_over, slots, options.dtype);
  }
  for (const WeightSlot& slot : slots) {
    const auto dtype = slot.norm ? at::kFloat : options.dtype;
    PM_ASSIGN(const torch::Tensor stored, source->take(slot.name, slot.shape, dtype));
    if (weights.shards && slot.layer) {
      weights.shards->keep(slot, stored);
    } else {
      *slot.tensor = stored.to(options.device);
    }
  }
  if (config.tie_word_embeddings) weights.head = weights.embedding;
  PM_TRY(source->finish());
  return weights;
}

}  // namespace prefixmem::trainer
