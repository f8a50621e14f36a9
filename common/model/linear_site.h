// Where in a layer a linear map stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/model/config.h"

namespace prefixmem {

enum class Site { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr size_t kSites = 7;

constexpr std::string_view site_name(Site site) {  // as Hugging Face names them
  constexpr std::string_view kNames[kSites] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                               "gate_proj", "up_proj", "down_proj"};
  return kNames[static_cast<size_t>(site)];
}

// The map's module as Hugging Face names it: model.layers.0.self_attn.q_proj.
std::string module_name(int64_t layer, Site site);

// Its weight is [out, in], and it may have a bias [out].
struct LinearShape {
  int64_t out, in;
  bool bias;
};
LinearShape linear_shape(Site site, const ModelConfig& config);

}  // namespace prefixmem
