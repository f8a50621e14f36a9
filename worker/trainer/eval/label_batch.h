// The labels of a classification behind several prompts, as one batch: what any of them begin with
// in common is computed, and scored, once.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/common_prefixes.h"
#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

struct LabelBatch {
  // `token` predicted at label_sources[source] of the batch.
  struct Edge {
    int64_t source = 0;
    int32_t token = 0;
  };

  RaggedBatch batch;        // label_sources are distinct; label_ids say nothing
  std::vector<Edge> edges;  // distinct
  // Of label l behind prompt p, at p * labels + l: its score is the sum over these edges.
  std::vector<std::vector<int64_t>> paths;
};

// Prompts: at least one token each. Labels: token ids with eos, at least one each; the last one is
// predicted, not read (unless another label continues it).
LabelBatch pack_labels(const std::vector<TokenSpan>& prompts,
                       const std::vector<std::vector<int32_t>>& labels);

// Tokens of the labels that are read behind each prompt.
int64_t label_tree_tokens(const std::vector<std::vector<int32_t>>& labels);

}  // namespace prefixmem::trainer
