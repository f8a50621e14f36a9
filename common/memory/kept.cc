#include "common/memory/kept.h"

#include <algorithm>
#include <map>

#include "common/memory/trained.h"
#include "common/model/linear_site.h"
#include "common/model/lora_targets.h"
#include "common/spec/layer_list.h"

namespace prefixmem::memory {
namespace {

// What a method asks of one layer beyond that gradients pass through it.
struct Use {
  bool trains = false;      // something here
  bool attention = false;   // query, key or value has a gradient whatever lies below
  bool normed = false;      // the input of q, k and v is kept
  bool mixed = false;       // that of o
  bool changed = false;     // which is attention's output no longer
  bool mlp_normed = false;  // that of gate and up
  bool gated = false;       // that of down
  Count own = 0;            // values kept for each row besides
  Count query = 0;          // and of the query
  Count in_all = 0;         // bytes
  Count prefix = 0;         // tokens before each row
  // Bytes for each row, during backward of its part of attention and of the MLP.
  Count working = 0, mlp_working = 0;
};

using Uses = std::vector<Use>;

Status add(const PrefixMemoryMethod& method, const ModelConfig& model, Count width, Uses& uses) {
  PM_ASSIGN(const auto layers, spec::select_layers(method.layers, model.num_layers));
  const bool per_head = method.scope == PrefixMemoryMethod::Scope::kHead;
  const Count inputs = per_head ? model.query_size() : model.hidden_size;
  const Count size = per_head ? model.head_dim : model.hidden_size;
  const Count features = (method.feature_dim > 0 ? method.feature_dim : size) * (inputs / size);
  const Count widened = width == kWide ? 0 : kWide * (features + inputs);
  for (const int64_t layer : layers) {
    Use& use = uses[layer];
    use.trains = true;
    use.changed |= per_head;
    use.normed |= !per_head;
    const bool before = per_head && method.query == PrefixMemoryMethod::Query::kPreRope;
    use.own += before ? inputs : 0;
    use.query = per_head && !before ? inputs : use.query;
    const bool weighted = method.feature_map == PrefixMemoryMethod::FeatureMap::kMlp;
    use.working += (weighted ? 2 : 1) * width * features + widened;
  }
  return {};
}

Status add(const PrefixTuningMethod& method, const ModelConfig& model, Count width, Uses& uses) {
  for (Use& use : uses) {
    use.trains = use.attention = true;
    use.prefix += method.num_virtual_tokens;
    // As trained, as one layer's, and in front of the tokens' own.
    use.in_all += 3 * width * 2 * method.num_virtual_tokens * model.key_value_size();
  }
  return {};
}

void mark_input(Site site, Use& use) {
  switch (site) {
    case Site::kQ:
    case Site::kK:
    case Site::kV:
      use.normed = use.attention = true;
      return;
    case Site::kO:
      use.mixed = true;
      return;
    case Site::kGate:
    case Site::kUp:
      use.mlp_normed = true;
      return;
    case Site::kDown:
      use.gated = true;
  }
}

Status add(const LoraMethod& method, const ModelConfig& model, Count width, Uses& uses) {
  PM_ASSIGN(const LoraTargets targets, find_lora_targets(method.target_modules, model.num_layers));
  const int64_t even = (method.r + 1) / 2 * 2;
  const auto inner = static_cast<Count>(even);
  for (size_t layer = 0; layer < targets.size(); ++layer) {
    Use& use = uses[layer];
    for (size_t i = 0; i < kSites; ++i) {
      const Site site = static_cast<Site>(i);
      const LinearShape shape = linear_shape(site, model);
      if (method.bias == LoraMethod::Bias::kAll && shape.bias) use.trains = true;
      if (!targets[layer][i]) continue;
      use.trains = true;
      use.attention |= site == Site::kQ || site == Site::kK || site == Site::kV;
      use.own += inner;
      use.in_all += width * inner * (shape.in + shape.out);
      if (method.use_dora) {
        use.own += shape.out;
        Count& working = i < static_cast<size_t>(Site::kGate) ? use.working : use.mlp_working;
        working = std::max(working, shape.out * 2 * (width + kWide));
      }
      if (method.dropout > 0) {
        use.own += shape.in;  // without what was dropped
      } else {
        mark_input(site, use);
      }
    }
  }
  return {};
}

Status add(const FullMethod&, const ModelConfig&, Count, Uses& uses) {
  for (Use& use : uses) {
    use.trains = use.attention = use.normed = use.mixed = use.mlp_normed = use.gated = true;
  }
  return {};
}

Status add(const NoMethod&, const ModelConfig&, Count, Uses&) { return {}; }

Status add(const CombinedMethod& method, const ModelConfig& model, Count width, Uses& uses) {
  for (const AdapterMethod& part : method.methods) {
    PM_TRY(std::visit([&](const auto& one) { return add(one, model, width, uses); }, part));
  }
  return {};
}

// How ops/attention_plan cuts the attention of rows: what each query has of masks, in bytes, and of
// keys that are counted by part.
struct Cut {
  Count mask = 0;
  Count keys = 1;
};

Cut cut_of(int64_t window, Count prefix, Count row) {
  constexpr Count kWindowBlock = 256, kMaskBlock = 1024;
  const bool windowed = window > 0 && prefix + row > window;
  if (!windowed && prefix == 0) return {};
  const Count block = std::clamp<Count>(row, 1, windowed ? kWindowBlock : kMaskBlock);
  const Count seen = windowed ? std::min(prefix + row, window + block) : prefix + (row + block) / 2;
  return {kWide * seen, seen / block};
}

// `flows`: a gradient reaches the layer's input.
LayerBytes bytes_of(const Use& use, bool flows, bool last, const Shape& shape, int64_t window) {
  const auto& [model, width, row] = shape;
  if (!flows && !use.trains) return {};
  const Count hidden = model.hidden_size, middle = model.intermediate_size;
  const Count query = model.query_size(), key = model.key_value_size();
  const Count heads = model.num_attention_heads;
  const bool attention = flows || use.attention;
  Count narrow = 0, wide = 0;
  if (flows) narrow += hidden, wide += 1;
  if (use.normed) narrow += hidden;
  if (attention) narrow += 2 * (query + key), wide += heads;  // query, key, value, output
  if (attention && model.qk_norm) narrow += query + key, wide += heads + model.num_key_value_heads;
  LayerBytes bytes;
  bytes.of_token = width * narrow + kWide * wide;

  narrow = hidden + 2 * middle + use.own;  // what the MLP is added to, its gate, its values
  wide = 1;
  if (model.sandwich_norms) narrow += 2 * hidden, wide += 2;
  if (use.mlp_normed) narrow += hidden;
  if (use.gated) narrow += middle;
  if (use.mixed && (use.changed || last)) narrow += query;
  if (last || !attention) narrow += use.query;
  bytes.of_row = width * narrow + kWide * wide;

  bytes.in_all = use.in_all;
  bytes.input = width * hidden;
  const Count key_sums = cut_of(window, use.prefix, row).keys * 2 * kWide * key;
  // Backward has freed what the MLP kept before it comes to attention, its ends before its middle.
  const Count ends = (use.gated ? middle : 0) + (model.sandwich_norms ? hidden : 0);
  const Count freed = ends + hidden + 2 * middle + (use.mlp_normed ? hidden : 0);
  const Count in_mlp = width * (3 * middle + 2 * hidden - ends) + use.mlp_working;
  const Count in_attention = width * (2 * query + hidden - freed) +
                             std::max(width * (query + 2 * key) + key_sums, use.working);
  bytes.working = std::max<Count>({0, in_mlp, in_attention});
  return bytes;
}

}  // namespace

Result<Kept> kept_by(const MethodSpec& method, const Shape& shape) {
  const ModelConfig& model = shape.model;
  Uses uses(model.num_layers);
  PM_TRY(std::visit([&](const auto& one) { return add(one, model, shape.width, uses); }, method));
  Kept kept;
  std::map<int64_t, Count> masks;                           // by window
  bool flows = std::holds_alternative<FullMethod>(method);  // from the embedding on
  for (size_t i = 0; i < uses.size(); ++i) {
    const int64_t window = model.layers[i].sliding_window;
    masks[window] = cut_of(window, uses[i].prefix, shape.row).mask;
    kept.layers.push_back(bytes_of(uses[i], flows, i + 1 == uses.size(), shape, window));
    flows |= uses[i].trains;
  }
  kept.of_token =
      kWide * static_cast<Count>(model.head_dim) * static_cast<Count>(model.ropes.size());
  for (const auto& [window, mask] : masks) kept.of_token += mask;
  return kept;
}

}  // namespace prefixmem::memory
