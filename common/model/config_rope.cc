#include "common/model/config_rope.h"

#include <cmath>
#include <numbers>

namespace prefixmem {
namespace {

enum Kind : size_t { kDefault, kLinear, kLlama3 };

// In fp32 step by step, as the reference: the angle of a far position repeats its rounding.
std::vector<float> frequencies(double theta, int64_t head_dim) {
  std::vector<float> all;
  for (int64_t i = 0; i < head_dim; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(head_dim);
    all.push_back(1.0F / std::pow(static_cast<float>(theta), exponent));
  }
  return all;
}

// Long waves are stretched by `factor`, short ones kept, those between blended.
void stretch_llama3(ConfigFields& fields, const RopeContext& context, std::vector<float>& all) {
  const auto factor = static_cast<float>(fields.number("factor"));
  const auto low = static_cast<float>(fields.number("low_freq_factor"));
  const auto high = static_cast<float>(fields.number("high_freq_factor"));
  const auto length =
      static_cast<float>(fields.size("original_max_position_embeddings", context.original_length));
  if (high <= low) fields.fail("high_freq_factor", "a number above low_freq_factor");
  for (float& frequency : all) {
    const float wave = 2 * std::numbers::pi_v<float> / frequency;
    if (wave < length / high) continue;
    const float kept = wave > length / low ? 0 : (length / wave - low) / (high - low);
    frequency = (1 - kept) * frequency / factor + kept * frequency;
  }
}

}  // namespace

Rope read_rope(ConfigFields& fields, const RopeContext& context) {
  fields.only_keys({"rope_type", "type", "rope_theta", "factor", "low_freq_factor",
                    "high_freq_factor", "original_max_position_embeddings",
                    "partial_rotary_factor"});
  fields.equal("partial_rotary_factor", 1.0);
  const std::string key = fields.has("rope_type") ? "rope_type" : "type";
  const size_t kind = fields.choice(key, {"default", "linear", "llama3"}, kDefault);
  std::vector<float> all =
      frequencies(fields.number("rope_theta", context.theta), context.head_dim);
  if (kind == kLlama3) stretch_llama3(fields, context, all);
  if (kind == kLinear) {
    const auto factor = static_cast<float>(fields.number("factor"));
    for (float& frequency : all) frequency /= factor;
  }
  return {.inv_freq = {all.begin(), all.end()}};
}

}  // namespace prefixmem
