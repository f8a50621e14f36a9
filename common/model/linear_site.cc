#include "common/model/linear_site.h"

namespace prefixmem {

std::string module_name(int64_t layer, Site site) {
  const bool in_mlp = site == Site::kGate || site == Site::kUp || site == Site::kDown;
  return "model.layers." + std::to_string(layer) + (in_mlp ? ".mlp." : ".self_attn.") +
         std::string(site_name(site));
}

LinearShape linear_shape(Site site, const ModelConfig& config) {
  const int64_t hidden = config.hidden_size, middle = config.intermediate_size;
  switch (site) {
    case Site::kQ:
      return {config.query_size(), hidden, config.qkv_bias};
    case Site::kK:
    case Site::kV:
      return {config.key_value_size(), hidden, config.qkv_bias};
    case Site::kO:
      return {hidden, config.query_size(), config.o_bias};
    case Site::kDown:
      return {hidden, middle, config.mlp_bias};
    case Site::kGate:
    case Site::kUp:
      break;
  }
  return {middle, hidden, config.mlp_bias};
}

}  // namespace prefixmem
