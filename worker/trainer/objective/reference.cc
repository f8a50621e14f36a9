#include "worker/trainer/objective/reference.h"

#include <ATen/ATen.h>

#include "worker/trainer/data/partition.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/score.h"

namespace prefixmem::trainer {
namespace {

class AdapterOff final : public Reference {
 public:
  explicit AdapterOff(Decoder& model) : model_(model) {}
  torch::Tensor sums(const std::vector<int64_t>&, const RaggedBatch& batch,
                     const std::vector<int64_t>& lengths) const override {
    const torch::NoGradGuard no_grad;
    return example_sums(model_, AdapterSpans({{nullptr, batch.token_count()}}), batch, lengths);
  }

 private:
  Decoder& model_;
};

class Remembered final : public Reference {
 public:
  explicit Remembered(torch::Tensor all) : all_(std::move(all)) {}
  torch::Tensor sums(const std::vector<int64_t>& examples, const RaggedBatch&,
                     const std::vector<int64_t>&) const override {
    const auto options = at::TensorOptions(all_.device()).dtype(at::kLong);
    return all_.index_select(0, at::tensor(examples, options));
  }

 private:
  const torch::Tensor all_;  // fp32 [examples]
};

}  // namespace

torch::Tensor example_sums(Decoder& model, const AdapterSpans& adapters, const RaggedBatch& batch,
                           const std::vector<int64_t>& lengths) {
  const torch::Tensor hidden = model.hidden(batch, adapters, batch.label_sources);
  return sum_by_example(model.token_log_probs(hidden, batch.label_ids), lengths);
}

std::unique_ptr<Reference> adapter_off(Decoder& model) {
  return std::make_unique<AdapterOff>(model);
}

Result<std::unique_ptr<Reference>> remember_reference(const std::vector<Example>& examples,
                                                      Decoder& model, Collective& gang,
                                                      int64_t micro_batch_tokens) {
  const torch::NoGradGuard no_grad;
  const SharedRows shared = shared_rows(examples, 1, kMinShared);
  const auto mine = split_over_ranks(shared, gang.size())[gang.rank()];
  torch::Tensor all = at::zeros({static_cast<int64_t>(examples.size())},
                                at::TensorOptions(gang.device()).dtype(at::kFloat));
  for (const auto& rows : split_micro_batches(shared, mine, micro_batch_tokens)) {
    const ScoredBatch batch(rows, examples, gang.device());
    const auto where = at::tensor(rows, at::TensorOptions(gang.device()).dtype(at::kLong));
    all.index_copy_(0, where, batch.score(model, nullptr, nullptr).sums);
  }
  PM_TRY(gang.all_reduce_sum(all));
  return std::unique_ptr<Reference>(std::make_unique<Remembered>(std::move(all)));
}

}  // namespace prefixmem::trainer
