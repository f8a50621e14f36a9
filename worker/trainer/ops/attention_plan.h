// How the attention of a ragged batch is cut into dense pieces: a pure function of its segments.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

struct TokenRange {
  int64_t begin = 0, count = 0;
};

// Queries [queries.begin, +count) of the query stream against the concatenated `keys` of the key
// stream. `causal`: keys are the queries' own range and each sees those up to itself. Otherwise
// `mask`, where defined, is added to the scores: fp32 [queries, keys], 0 or -infinity.
struct AttentionPart {
  TokenRange queries;
  std::vector<TokenRange> keys;
  bool causal = false;
  torch::Tensor mask;
};

// The parts' queries cover the query stream, each token once.
using AttentionPlan = std::vector<AttentionPart>;

// For the segments of a batch (queries and keys are its stream), on `device`. `window`: tokens that
// a token sees, itself included; 0: all of its path. Small trees below one root are one part with a
// mask; long windowed segments are cut so that keys outside every window are not touched.
AttentionPlan plan_attention(const std::vector<Segment>& segments, int64_t window,
                             torch::Device device);

// For `count` new tokens of one row whose keys, old and new, stand at their positions in the key
// stream; the first new token has position `position`.
AttentionPlan plan_extension(int64_t position, int64_t count, int64_t window, torch::Device device);

}  // namespace prefixmem::trainer
