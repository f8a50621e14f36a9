#include "worker/trainer/model/gguf_weights.h"

#include <ATen/ATen.h>

#include <optional>
#include <string_view>
#include <utility>

#include "common/model/strict_json.h"
#include "worker/trainer/model/file_tensor.h"

namespace prefixmem::trainer {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

constexpr Names kOutside[] = {
    {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};
constexpr Names kInLayer[] = {{"input_layernorm", "attn_norm"},
                              {"pre_feedforward_layernorm", "ffn_norm"},
                              {"post_feedforward_layernorm", "post_ffw_norm"},
                              {"self_attn.q_norm", "attn_q_norm"},
                              {"self_attn.k_norm", "attn_k_norm"},
                              {"self_attn.q_proj", "attn_q"},
                              {"self_attn.k_proj", "attn_k"},
                              {"self_attn.v_proj", "attn_v"},
                              {"self_attn.o_proj", "attn_output"},
                              {"mlp.gate_proj", "ffn_gate"},
                              {"mlp.up_proj", "ffn_up"},
                              {"mlp.down_proj", "ffn_down"}};

template <size_t N>
std::string_view renamed(const Names (&names)[N], std::string_view module) {
  for (const auto& [ours, theirs] : names) {
    if (ours == module) return theirs;
  }
  return module;
}

// "model.layers.3.mlp.up_proj.weight" → "blk.3.ffn_up.weight"
std::string gguf_name(std::string_view name, const ModelConfig& config) {
  constexpr std::string_view kLayers = "model.layers.";
  const size_t dot = name.rfind('.');
  const std::string_view module = name.substr(0, dot), kind = name.substr(dot);
  if (!name.starts_with(kLayers)) {
    return std::string(renamed(kOutside, module)) + std::string(kind);
  }
  const size_t end = module.find('.', kLayers.size());
  const std::string_view number = module.substr(kLayers.size(), end - kLayers.size());
  const std::string_view inner = module.substr(end + 1);
  // It stands before the MLP in llama, behind attention in gemma.
  const std::string_view after = config.sandwich_norms ? "post_attention_norm" : "ffn_norm";
  const std::string_view part =
      inner == "post_attention_layernorm" ? after : renamed(kInLayer, inner);
  return "blk." + std::string(number) + "." + std::string(part) + std::string(kind);
}

bool is_llama(const ModelConfig& config) {
  return config.family == "llama" || config.family == "mistral";
}

bool is_query_or_key(std::string_view name) {
  return name.find(".q_proj.") != name.npos || name.find(".k_proj.") != name.npos;
}

// Rows of each head: (first, second) of every rotated pair → all first ones, all second ones.
torch::Tensor part_halves(const torch::Tensor& rows, int64_t head_dim) {
  return rows.unflatten(0, {-1, head_dim / 2, 2}).transpose(1, 2).flatten(0, 2);
}

}  // namespace

Result<torch::Tensor> GgufWeights::take(const std::string& name, const std::vector<int64_t>& shape,
                                        torch::Dtype dtype) {
  const std::string stored = gguf_name(name, config_);
  taken_.insert(stored);
  const auto entry = file_.tensors().find(stored);
  if (entry != file_.tensors().end() && entry->second.shape != shape) {
    return data_loss(file_.name() + ": tensor " + stored + " has shape " +
                     shape_text(entry->second.shape) + "; its metadata ask for " +
                     shape_text(shape));
  }
  PM_ASSIGN(torch::Tensor values, file_.tensor(stored, dtype));
  if (is_llama(config_) && is_query_or_key(name)) return part_halves(values, config_.head_dim);
  if (config_.norm_offset != 0 && name.ends_with("norm.weight")) {
    return values - config_.norm_offset;
  }
  return values;
}

Status GgufWeights::finish() const {
  for (const auto& [name, entry] : file_.tensors()) {
    const bool read_elsewhere = is_llama(config_) && name == "rope_freqs.weight";
    if (read_elsewhere || taken_.count(name) > 0) continue;
    return invalid_argument(file_.name() + ": tensor " + shown(name) + " is not part of a " +
                            config_.family + " model as its metadata describe it");
  }
  return {};
}

}  // namespace prefixmem::trainer
