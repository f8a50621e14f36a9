// The model's weights as a row of buckets, each cut into one equal part a rank.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/train/adamw.h"

namespace prefixmem::trainer {

// Values [begin, begin + weights.numel()) of the list of all parameters' values. The list is padded
// with zeros to a multiple of the ranks, in the last bucket alone.
struct Bucket {
  int64_t begin = 0;
  int64_t own_begin = 0;   // of this rank's part, in the same list
  torch::Tensor weights;   // of the model, in its dtype, every rank's part
  torch::Tensor own;       // view of `weights`: this rank's part [n]
  torch::Tensor values;    // fp32 [n]: what is trained; `own` itself where the model is fp32
  torch::Tensor gradient;  // fp32 [n]: the sum over all ranks, of the rounds so far
  AdamW adamw;             // of this rank's part

  int64_t end() const { return begin + weights.numel(); }
  bool in_place() const { return values.is_same(own); }
};

// Moves the parameters' values into one buffer of their dtype, in their order, of which they are
// views from then on, and cuts it into buckets of at most about `most_values`. All parameters must
// be of one dtype and device.
std::vector<Bucket> make_buckets(std::vector<Parameter>& parameters, int rank, int ranks,
                                 const AdamWOptions& options, int64_t most_values);

// What [begin, begin + count) has in common with [other, other + other_count).
struct Overlap {
  int64_t begin, count;  // count <= 0: nothing
};
Overlap overlap(int64_t begin, int64_t count, int64_t other, int64_t other_count);

}  // namespace prefixmem::trainer
