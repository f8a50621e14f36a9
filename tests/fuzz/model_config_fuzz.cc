#include "common/memory/estimate.h"
#include "tests/fuzz/outcome.h"

namespace {

using namespace prefixmem;

// Of whatever size the model is and the micro-batch may be.
void check_memory(const ModelConfig& model) {
  JobSpec spec;
  for (const MethodSpec& method : {MethodSpec(PrefixMemoryMethod()), MethodSpec(LoraMethod()),
                                   MethodSpec(PrefixTuningMethod()), MethodSpec(FullMethod())}) {
    spec.method = method;
    for (const int64_t tokens : {int64_t{1}, INT64_MAX}) {
      spec.train.micro_batch_tokens = tokens;
      const auto pass = memory::largest_pass(spec, model);
      fuzz::require(pass.tokens > 0, "a pass without a token");
      const auto needed = memory::estimate(spec, model, pass);
      fuzz::require(needed.ok(), "memory that is not predicted");
      for (const int64_t part : {needed->weights, needed->adapter, needed->optimizer,
                                 needed->activations, needed->working, needed->program}) {
        fuzz::require(part >= 0 && part <= needed->total(), "a part that is no part of the sum");
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config = parse_model_config(fuzz::text_of(data, size));
  fuzz::require_clear(config.status());
  if (!config.ok()) return 0;
  fuzz::require(static_cast<int64_t>(config->layers.size()) == config->num_layers,
                "layers without a setting");
  for (const auto& layer : config->layers) {
    fuzz::require(static_cast<size_t>(layer.rope) < config->ropes.size(), "a layer without rope");
  }
  check_memory(*config);
  return 0;
}
