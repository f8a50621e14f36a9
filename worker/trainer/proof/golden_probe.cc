#include "worker/trainer/proof/golden_probe.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <set>

#include "common/random.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kSequences = 4;
constexpr int64_t kTokens = 24;
constexpr int64_t kTop = 8;  // of each model

std::set<int64_t> top_ids(const torch::Tensor& logits) {
  const auto ids = std::get<1>(logits.topk(std::min(kTop, logits.numel())));
  const int64_t* const begin = ids.const_data_ptr<int64_t>();
  return {begin, begin + ids.numel()};
}

std::vector<double> at_ids(const torch::Tensor& logits, const std::vector<int64_t>& ids) {
  std::vector<double> values;
  for (const int64_t id : ids) values.push_back(logits[id].item<double>());
  return values;
}

}  // namespace

std::vector<std::vector<int32_t>> probe_sequences(int64_t vocab_size) {
  std::vector<std::vector<int32_t>> sequences(kSequences);
  for (uint64_t i = 0; i < sequences.size(); ++i) {
    for (uint64_t k = 0; k < kTokens; ++k) {
      const uint64_t bits = random_bits({text_key("golden probe"), i, k});
      sequences[i].push_back(static_cast<int32_t>(bits % static_cast<uint64_t>(vocab_size)));
    }
  }
  return sequences;
}

std::vector<std::vector<int32_t>> sequences_of(const GoldenProbe& probe) {
  std::vector<std::vector<int32_t>> sequences;
  for (const auto& sequence : probe.sequences) sequences.push_back(sequence.ids);
  return sequences;
}

torch::Tensor probe_logits(Decoder& model, Adapter* adapter,
                           const std::vector<std::vector<int32_t>>& sequences) {
  const torch::NoGradGuard no_grad;
  RaggedBuilder builder;
  std::vector<int64_t> last;
  for (const auto& ids : sequences) {
    builder.add(ids);
    last.push_back(builder.token_count() - 1);
  }
  const RaggedBatch batch = std::move(builder).build().to(model.options().device);
  const torch::Tensor at_last = at::tensor(last, at::kLong).to(batch.tokens.device());
  return model.logits(model.hidden(batch, adapter, at_last)).to(at::kCPU, at::kFloat);
}

std::vector<GoldenProbe::Sequence> probe_of(const torch::Tensor& base,
                                            const torch::Tensor& adapted) {
  std::vector<GoldenProbe::Sequence> sequences;
  const auto ids = probe_sequences(base.size(1));
  for (int64_t i = 0; i < base.size(0); ++i) {
    std::set<int64_t> top = top_ids(base[i]);
    top.merge(top_ids(adapted[i]));
    GoldenProbe::Sequence& sequence = sequences.emplace_back();
    sequence.ids = ids[i];
    sequence.top_ids = {top.begin(), top.end()};
    sequence.base = at_ids(base[i], sequence.top_ids);
    sequence.adapted = at_ids(adapted[i], sequence.top_ids);
  }
  return sequences;
}

}  // namespace prefixmem::trainer
