// How much memory a rank of a job needs, from its spec and its model's config.json.
#pragma once

#include <cstdint>

#include "common/model/config.h"
#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::memory {

// What one pass over the base holds.
struct PassSize {
  int64_t tokens = 0;  // of the micro-batch
  int64_t labels = 0;  // of these, whose successors are scored
  int64_t row = 0;     // of the longest row
};

// Whether each rank keeps a part of the base's layers, and the bytes that it then has for those
// that it gathers.
bool shards_weights(const JobSpec& spec);
int64_t gathered_bytes(const JobSpec& spec, const ModelConfig& model);

// Of the examples that a rank scores in a step, with `each` tokens of each; pairs are two.
int64_t step_tokens(const JobSpec& spec, int64_t each);

// The most that a pass of the job may hold, as far as the spec says: micro_batch_tokens, or a row
// of data.max_tokens where that is longer, but no more than a rank's rows of a step.
PassSize largest_pass(const JobSpec& spec, const ModelConfig& model);

// Bytes, each at the moment of a step at which the sum is largest. On a CPU ranks of one host share
// the weights, which are their file's pages unless train.dtype is another than the file's, the
// method trains them or shards_weights().
struct Estimate {
  int64_t weights = 0;      // of the base, in train.dtype, as far as a rank has them
  int64_t adapter = 0;      // what is trained, in fp32, and its gradients
  int64_t optimizer = 0;    // moments, and exact sums where train.deterministic asks for them
  int64_t activations = 0;  // what backward needs of forward
  int64_t working = 0;      // logits, or gradients of the widest layer, whichever is more
  int64_t program = 0;      // code, libraries, tokenizer
  // What is not there yet once the base has been loaded.
  int64_t of_training() const { return adapter + optimizer + activations + working; }
  int64_t total() const { return weights + of_training() + program; }
};

// Of one of spec.resources.ranks, with backward computing the first `recomputed` of the layers that
// have something to compute again. INVALID_ARGUMENT where the method does not fit the model.
Result<Estimate> estimate(const JobSpec& spec, const ModelConfig& model, const PassSize& pass,
                          int64_t recomputed);

// As train.activation_checkpointing has it: all layers where it is on or auto, which then computes
// as many as it must, otherwise none.
Result<Estimate> estimate(const JobSpec& spec, const ModelConfig& model, const PassSize& pass);

// Layers that backward is to compute again under train.activation_checkpointing where a rank may
// take `bytes` beside the weights and the program: none, all, or of auto the fewest with which the
// rest takes no more; all where none suffices.
Result<int64_t> layers_to_recompute(const JobSpec& spec, const ModelConfig& model,
                                    const PassSize& pass, int64_t bytes);

}  // namespace prefixmem::memory
