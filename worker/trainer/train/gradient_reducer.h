// Sums gradients over the ranks while a backward pass produces them, so that never more than a few
// buckets of them exist.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "common/status.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/train/bucket.h"

namespace prefixmem::trainer {

// A round is one backward pass, on the ranks that have one. In it each rank reduce-scatters every
// bucket once, from the last to the first, which is about the order in which gradients come: as
// soon as a bucket is complete and all behind it are done, at the end of the round at the latest.
// Thread: the one that runs backward.
class GradientReducer {
 public:
  using Reduce = std::function<Status(torch::Tensor& tensor, torch::Tensor& part)>;

  // Hooks itself to the parameters, whose gradients it takes and frees. All must outlive this.
  GradientReducer(std::vector<Parameter>& parameters, std::vector<Bucket>& buckets, Reduce reduce);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  // Ends a round; a value that got no gradient in it counts as zero. Gives the first failure of a
  // sum, after which there was no other.
  Status finish_round();

 private:
  // Of a bucket in the round at hand.
  struct Pending {
    torch::Tensor gradient;  // fp32 [bucket]; undefined before the first
    int64_t missing = 0;     // values that have none yet
  };

  void start_round();
  void take(size_t parameter);
  void take(size_t bucket, int64_t begin, const torch::Tensor& gradient);
  torch::Tensor zero_buffer(const torch::Tensor& weights);  // fp32
  void reduce_next();

  std::vector<Parameter>& parameters_;
  std::vector<Bucket>& buckets_;
  const Reduce reduce_;
  const std::vector<int64_t> begins_;  // by parameter, in the list of all values
  std::vector<Pending> pending_;       // by bucket
  size_t left_ = 0;                    // buckets that this round has still to sum
  torch::Tensor spare_;                // buffer of a bucket that has been summed; may be undefined
  torch::Tensor part_;                 // what a rank gets of a sum
  Status failure_;
};

}  // namespace prefixmem::trainer
