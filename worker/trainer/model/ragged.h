// A batch without padding: rows are one stream of tokens, cut into segments.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace prefixmem::trainer {

// A run of the stream. Its tokens attend causally to each other and to every token of the chain
// parent, parent's parent, …: a row is a path from a root to a leaf. Segments that share a parent
// share its computation; causal attention makes that exact, gradients included.
struct Segment {
  int64_t begin = 0;     // index of the first token in the stream
  int64_t length = 0;    // tokens, at least 1
  int32_t parent = -1;   // index of an earlier segment; -1: a root
  int64_t position = 0;  // rotary position of the first token: the sum of the ancestors' lengths
};

// `label_sources[i]` is a stream index whose hidden state predicts token `label_ids[i]`. Sources
// may repeat: the last token of a shared prompt predicts the first token of every continuation.
//
// A batch may go on from others (Decoder::grow). Then `segments` has theirs first, and everything
// else is of its own tokens, T of them; sources are counted from the first.
struct RaggedBatch {
  torch::Tensor tokens;     // int64 [T]
  torch::Tensor positions;  // int64 [T]
  std::vector<Segment> segments;
  torch::Tensor label_sources;  // int64 [L]
  torch::Tensor label_ids;      // int64 [L]
  // Training with dropout: a random number of each token that depends on seed, step, row and
  // position alone, int64 [T]; undefined otherwise.
  torch::Tensor dropout_keys;
  int64_t first_segment = 0;  // of its own

  int64_t token_count() const { return tokens.numel(); }
  RaggedBatch to(torch::Device device) const;
};

// Builds a batch segment by segment.
class RaggedBuilder {
 public:
  RaggedBuilder() = default;
  // Goes on from the segments of all batches so far, which keep their indices.
  explicit RaggedBuilder(std::vector<Segment> before);

  // Appends a segment and returns its index. `tokens` must not be empty; parent as in Segment.
  int32_t add(const std::vector<int32_t>& tokens, int32_t parent = -1);
  // Scores `id` as the token that follows token `offset` of a segment (offset -1: its last token).
  void label(int32_t segment, int64_t offset, int32_t id);
  int64_t token_count() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t label_count() const { return static_cast<int64_t>(label_ids_.size()); }
  RaggedBatch build() &&;

 private:
  std::vector<int64_t> tokens_, positions_, label_sources_, label_ids_;
  std::vector<Segment> segments_;
  int64_t first_segment_ = 0, first_token_ = 0;  // of its own
};

}  // namespace prefixmem::trainer
