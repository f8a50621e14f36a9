#include "worker/trainer/adapters/lora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "worker/trainer/data/random.h"

namespace prefixmem::trainer {
namespace {

constexpr Site kAllSites[] = {Site::kQ,    Site::kK,  Site::kV,   Site::kO,
                              Site::kGate, Site::kUp, Site::kDown};

struct Shape {
  int64_t in, out;
};

Shape shape_of(Site site, const ModelConfig& model) {
  const int64_t hidden = model.hidden_size, inner = model.intermediate_size;
  switch (site) {
    case Site::kQ:
      return {hidden, model.query_size()};
    case Site::kK:
    case Site::kV:
      return {hidden, model.key_value_size()};
    case Site::kO:
      return {model.query_size(), hidden};
    case Site::kDown:
      return {inner, hidden};
    default:
      return {hidden, inner};
  }
}

bool in_mlp(Site site) { return site == Site::kGate || site == Site::kUp || site == Site::kDown; }

std::string module_name(int64_t layer, Site site) {
  return "base_model.model.model.layers." + std::to_string(layer) +
         (in_mlp(site) ? ".mlp." : ".self_attn.") + std::string(site_name(site));
}

// Uniform in [-bound, bound), each value a function of (seed, name, its index).
torch::Tensor uniform(at::IntArrayRef shape, double bound, uint64_t seed, const std::string& name) {
  torch::Tensor values = at::empty(shape, at::kFloat);
  const uint64_t key = text_key(name);
  auto* const data = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    const uint64_t bits = random_bits({seed, key, static_cast<uint64_t>(i)});
    const double unit = static_cast<double>(bits >> 40) * 0x1p-24;
    data[i] = static_cast<float>((2 * unit - 1) * bound);
  }
  return values;
}

std::string allowed_modules() {
  std::string names;
  for (const Site site : kAllSites) names += std::string(site_name(site)) + ", ";
  return names + "or all-linear alone";
}

Result<std::vector<Site>> find_targets(const std::vector<std::string>& names) {
  if (names == std::vector<std::string>{"all-linear"}) {
    return std::vector<Site>(std::begin(kAllSites), std::end(kAllSites));
  }
  if (names.empty()) {
    return invalid_argument("method.target_modules is []; allowed: " + allowed_modules());
  }
  std::vector<Site> targets;
  for (const std::string& name : names) {
    const auto* const site = std::find_if(std::begin(kAllSites), std::end(kAllSites),
                                          [&](Site s) { return site_name(s) == name; });
    if (site == std::end(kAllSites)) {
      return invalid_argument("method.target_modules names \"" + name +
                              "\"; allowed: " + allowed_modules());
    }
    targets.push_back(*site);
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

}  // namespace

Result<std::unique_ptr<LoraAdapter>> LoraAdapter::make(const LoraMethod& method,
                                                       const AdapterContext& context) {
  PM_ASSIGN(std::vector<Site> targets, find_targets(method.target_modules));
  std::unique_ptr<LoraAdapter> adapter(new LoraAdapter(method, std::move(targets)));
  for (int64_t layer = 0; layer < context.model.num_layers; ++layer) {
    adapter->at_.emplace_back().fill(-1);
    for (const Site site : adapter->targets_) adapter->add_pair(layer, site, context);
  }
  return adapter;
}

LoraAdapter::LoraAdapter(const LoraMethod& method, std::vector<Site> targets)
    : method_(method), targets_(std::move(targets)) {}

void LoraAdapter::add_pair(int64_t layer, Site site, const AdapterContext& context) {
  const Shape shape = shape_of(site, context.model);
  const std::string module = module_name(layer, site);
  const std::string down = module + ".lora_A.weight", up = module + ".lora_B.weight";
  const double bound = 1 / std::sqrt(static_cast<double>(shape.in));
  at_[layer][static_cast<size_t>(site)] = static_cast<int64_t>(parameters_.size());
  const torch::Tensor a =
      uniform({method_.r, shape.in}, bound, context.seed, down).to(context.device);
  const torch::Tensor b =
      at::zeros({shape.out, method_.r}, at::TensorOptions(context.device).dtype(at::kFloat));
  parameters_.push_back({down, a.requires_grad_()});
  parameters_.push_back({up, b.requires_grad_()});
}

torch::Tensor LoraAdapter::linear_delta(const LinearCall& call) {
  const int64_t at = at_[call.layer][static_cast<size_t>(call.site)];
  if (at < 0) return {};
  const auto dtype = call.x.scalar_type();
  const torch::Tensor inner = at::linear(call.x, parameters_[at].value.to(dtype));
  const double scale = method_.alpha / static_cast<double>(method_.r);
  return at::linear(inner * scale, parameters_[at + 1].value.to(dtype));
}

}  // namespace prefixmem::trainer
