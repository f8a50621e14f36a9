// Activation checkpointing: a part of the graph whose activations are not kept.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace prefixmem::trainer {

// Of x, key and value.
using Recomputable = std::function<torch::Tensor(const std::vector<torch::Tensor>&)>;

// part({x, key, value}), of which only these inputs are kept: backward calls `part` again, on the
// same values, and goes on through what that gives. Gradients reach the inputs and every leaf that
// `part` reads, to the bit as without; whatever else stands between a leaf and `part` must be an
// input. `part` gives the same bits each time and is held until backward is done. Key and value,
// those of a layer's prefix, are both undefined where there is none.
torch::Tensor recomputed(const torch::Tensor& x, const torch::Tensor& key,
                         const torch::Tensor& value, const Recomputable& part);

}  // namespace prefixmem::trainer
