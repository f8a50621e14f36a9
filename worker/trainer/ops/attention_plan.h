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
// stream. `causal`: keys are the queries' own tokens and each sees those up to itself. Otherwise
// `mask`, where defined, is added to the scores: fp32 [queries, keys], 0 or -infinity.
struct AttentionPart {
  TokenRange queries;
  std::vector<TokenRange> keys;
  bool causal = false;
  torch::Tensor mask;
};

// The parts' queries cover the query stream, each token once.
using AttentionPlan = std::vector<AttentionPart>;

// The next `tokens` of a stream, whole trees: every path in them begins with a prefix of `keys`.
struct PrefixSpan {
  int64_t tokens = 0, keys = 0;
};

struct AttentionPlanOptions {
  int64_t window = 0;  // tokens that a token sees, itself included; 0: all of its path
  std::vector<PrefixSpan> prefixes = {};  // in stream order; tokens behind the last have none
  torch::Device device = torch::kCPU;
};

// For the segments of a batch: queries are its stream, keys the prefixes in order and then its
// stream. A prefix counts as tokens at positions 0, 1, … before its roots, in windows too. Short
// trees below one segment are one part with a mask; long windowed segments are cut so that keys
// outside every window are not touched.
AttentionPlan plan_attention(const std::vector<Segment>& segments,
                             const AttentionPlanOptions& options);

// The same for the segments from `first` on alone, whose tokens are the query stream; the key
// stream has those of all.
AttentionPlan plan_growth(const std::vector<Segment>& segments, int64_t first,
                          const AttentionPlanOptions& options);

// For `count` new tokens of one row whose keys, old and new, stand at their positions in the key
// stream (a prefix's first); the first new token has position `position`.
AttentionPlan plan_extension(int64_t position, int64_t count, int64_t window, torch::Device device);

}  // namespace prefixmem::trainer
