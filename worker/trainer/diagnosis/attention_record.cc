#include "worker/trainer/diagnosis/attention_record.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

namespace prefixmem::trainer {
namespace {

// On the CPU, where they are compared.
torch::Tensor on_cpu(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.cpu() : tensor;
}

// Behind what the adapter lets the layer's tokens see first.
torch::Tensor behind(const std::vector<Prefix>& prefix, int64_t layer, torch::Tensor Prefix::* part,
                     const torch::Tensor& own) {
  return prefix.empty() ? own : at::cat({prefix[layer].*part, own});
}

}  // namespace

std::vector<AttentionRecord> record_attention(Transformer& model, Adapter* adapter,
                                              std::span<const int32_t> ids) {
  const torch::NoGradGuard no_grad;
  RaggedBuilder builder;
  builder.add({ids.begin(), ids.end()});
  std::vector<Prefix> prefix;
  if (adapter != nullptr) prefix = adapter->prefix(model.options().dtype);
  std::vector<AttentionRecord> layers;
  model.observe(std::move(builder).build(), adapter, [&](const AttentionView& seen) {
    AttentionRecord& record = layers.emplace_back();
    record.query = on_cpu(seen.queries.after_rotary);
    record.key = on_cpu(behind(prefix, seen.layer, &Prefix::key, seen.key));
    record.value = on_cpu(behind(prefix, seen.layer, &Prefix::value, seen.value));
    record.attended = on_cpu(seen.mixed);
    record.out = on_cpu(seen.out);
    if (adapter == nullptr) return;
    record.head_term = on_cpu(adapter->attention_delta(seen.layer, seen.queries));
    record.hidden_term = on_cpu(adapter->block_delta(seen.layer, seen.x));
  });
  return layers;
}

}  // namespace prefixmem::trainer
