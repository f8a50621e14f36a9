// What forward keeps of each layer until backward has used it.
#pragma once

#include <vector>

#include "common/memory/trained.h"
#include "common/model/config.h"
#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::memory {

// Bytes of a layer.
struct LayerBytes {
  Count of_token = 0;  // for each token of the micro-batch
  Count of_row = 0;    // for each token that goes through its MLP: in the last layer the scored
  Count in_all = 0;    // whatever the micro-batch holds
  Count input = 0;     // for each token, where backward computes the layer again; 0: it has none
  Count working = 0;   // for each row, while backward is in it, behind what it has freed
};

struct Kept {
  std::vector<LayerBytes> layers;
  Count of_token = 0;  // for each token, of all layers: rotary tables, masks
};

// What the bytes depend on.
struct Shape {
  const ModelConfig& model;
  Count width = 0;  // of a value of the model's dtype
  Count row = 0;    // tokens of a row
};

// INVALID_ARGUMENT as trained_values().
Result<Kept> kept_by(const MethodSpec& method, const Shape& shape);

}  // namespace prefixmem::memory
