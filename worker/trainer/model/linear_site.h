// Where in a layer a frozen linear map stands, and its weights.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <string_view>

namespace prefixmem::trainer {

enum class Site { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr size_t kSites = 7;

constexpr std::string_view site_name(Site site) {  // as Hugging Face names them
  constexpr std::string_view kNames[kSites] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                               "gate_proj", "up_proj", "down_proj"};
  return kNames[static_cast<size_t>(site)];
}

struct LinearWeights {
  torch::Tensor weight;  // [out, in], in the model's dtype
  torch::Tensor bias;    // [out] or undefined
};

}  // namespace prefixmem::trainer
