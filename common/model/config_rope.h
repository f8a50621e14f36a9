// Rotary frequencies of a config.json, as transformers computes them.
#pragma once

#include "common/model/config.h"
#include "common/model/config_fields.h"

namespace prefixmem {

// What the frequencies depend on besides one object of rope settings.
struct RopeContext {
  int64_t head_dim = 0;
  double theta = 10000;         // where the object gives no rope_theta
  int64_t original_length = 0;  // where it gives no original_max_position_embeddings
};

// `fields`: rope_type (or type) default, linear or llama3 with their settings. Faults are kept in
// `fields`; so are other types, by name.
Rope read_rope(ConfigFields& fields, const RopeContext& context);

}  // namespace prefixmem
