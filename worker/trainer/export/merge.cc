#include "worker/trainer/export/merge.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <map>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kRows = 512;  // of the identity at once

class Merger {
 public:
  Merger(Adapter& adapter, std::vector<Parameter>& weights) : adapter_(adapter) {
    for (Parameter& weight : weights) values_.emplace(weight.name, weight.value.detach());
  }

  void merge(int64_t layer, Site site) {
    const std::string name = module_name(layer, site);
    LinearWeights map{values_.at(name + ".weight"), {}};
    const auto bias = values_.find(name + ".bias");
    if (bias != values_.end()) map.bias = bias->second;
    const torch::Tensor constant = added(layer, site, map, at::zeros({1, map.weight.size(1)}));
    if (!constant.defined()) return;
    // The map's response to each unit vector, minus that to zero, is a column of what is added.
    const torch::Tensor units = at::eye(map.weight.size(1));
    std::vector<torch::Tensor> columns;
    for (const torch::Tensor& rows : units.split(kRows)) {
      columns.push_back(added(layer, site, map, rows) - constant);
    }
    map.weight.add_(at::cat(columns).t());
    if (map.bias.defined()) map.bias.add_(constant.squeeze(0));
  }

 private:
  torch::Tensor added(int64_t layer, Site site, const LinearWeights& map,
                      const torch::Tensor& x) const {
    const torch::Tensor y = at::linear(x, map.weight, map.bias);
    return adapter_.linear_delta({layer, site, x, map, {}, y});
  }

  Adapter& adapter_;
  std::map<std::string, torch::Tensor> values_;
};

}  // namespace

void merge_linear(Adapter& adapter, const ModelConfig& config, std::vector<Parameter>& weights) {
  const torch::NoGradGuard no_grad;
  Merger merger(adapter, weights);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (size_t site = 0; site < kSites; ++site) merger.merge(layer, static_cast<Site>(site));
  }
}

}  // namespace prefixmem::trainer
