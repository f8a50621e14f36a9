// A linear map of the base.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

struct LinearWeights {
  torch::Tensor weight;  // [out, in], in the model's dtype
  torch::Tensor bias;    // [out] or undefined
};

}  // namespace prefixmem::trainer
