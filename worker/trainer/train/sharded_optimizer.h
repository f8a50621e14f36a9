// For a model whose every weight is trained (ZeRO, arXiv 1910.02054): of gradients, moments and
// fp32 values each rank holds one part in `ranks`. Reduce-scatter, step, all-gather.
#pragma once

#include <vector>

#include "worker/trainer/train/bucket.h"
#include "worker/trainer/train/gradient_reducer.h"
#include "worker/trainer/train/optimizer.h"

namespace prefixmem::trainer {

class ShardedOptimizer final : public Optimizer {
 public:
  static constexpr int64_t kBucketValues = int64_t{1} << 23;

  // The parameters, of the model's dtype, become views of one buffer (see make_buckets). Each step
  // they are the fp32 values, rounded once.
  ShardedOptimizer(std::vector<Parameter>& parameters, Collective& gang,
                   const AdamWOptions& options, int64_t bucket_values = kBucketValues);

  void zero_gradients() override;
  Status after_backward() override { return reducer_.finish_round(); }
  Status sum_gradients() override { return {}; }
  Result<double> clip_gradients(double max_norm) override;
  Status step(double learning_rate) override;
  int64_t steps() const override { return buckets_.front().adamw.steps(); }
  void set_steps(int64_t steps) override;
  Result<torch::Tensor> gather(State state, size_t index) override;
  int64_t state_bytes() const override;

 private:
  void place(State state, int64_t begin, const torch::Tensor& values) override;

  std::vector<Bucket> buckets_;
  GradientReducer reducer_;
};

}  // namespace prefixmem::trainer
