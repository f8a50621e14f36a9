#include <nlohmann/json.hpp>

#include "tests/fuzz/outcome.h"
#include "worker/trainer/adapters/adapter_config.h"
#include "worker/trainer/adapters/lora_config.h"

namespace {

using namespace prefixmem;

// What make_adapter makes room for, and the folders that are opened.
void check_bounds(const trainer::StoredConfig& stored) {
  if (const auto* lora = std::get_if<LoraMethod>(&stored.method)) {
    fuzz::require(lora->r >= 1 && lora->r <= 4096 && lora->alpha > 0, "a LoRA out of bounds");
    fuzz::require(!lora->target_modules.empty(), "a LoRA without targets");
  }
  if (const auto* prefix = std::get_if<PrefixTuningMethod>(&stored.method)) {
    fuzz::require(prefix->num_virtual_tokens >= 1 && prefix->num_virtual_tokens <= 4096,
                  "a prefix out of bounds");
  }
  if (const auto* memory = std::get_if<PrefixMemoryMethod>(&stored.method)) {
    fuzz::require(
        memory->feature_dim >= 0 && memory->feature_dim <= 65536 && !memory->layers.empty(),
        "a memory out of bounds");
  }
  const bool combined = std::holds_alternative<CombinedMethod>(stored.method);
  fuzz::require(combined != stored.parts.empty() && stored.parts.size() <= 3, "parts of nothing");
  for (const auto& part : stored.parts) {
    fuzz::require(part.find('/') == std::string::npos && part[0] != '.', "a part elsewhere");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config = trainer::parse_adapter_config(fuzz::text_of(data, size));
  fuzz::require_clear(config.status());
  if (!config.ok()) return 0;
  const auto stored = trainer::stored_config(*config);
  fuzz::require_clear(stored.status());
  if (stored.ok()) check_bounds(*stored);
  const auto* lora = stored.ok() ? std::get_if<LoraMethod>(&stored->method) : nullptr;
  fuzz::require_clear(trainer::check_lora_config(*config, lora == nullptr ? LoraMethod() : *lora));
  return 0;
}
