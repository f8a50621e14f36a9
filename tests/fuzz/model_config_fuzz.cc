#include "tests/fuzz/outcome.h"
#include "common/model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  const auto config = parse_model_config(fuzz::text_of(data, size));
  fuzz::require_clear(config.status());
  if (!config.ok()) return 0;
  fuzz::require(static_cast<int64_t>(config->layers.size()) == config->num_layers,
                "layers without a setting");
  for (const auto& layer : config->layers) {
    fuzz::require(static_cast<size_t>(layer.rope) < config->ropes.size(), "a layer without rope");
  }
  return 0;
}
