#include "worker/trainer/train/fit.h"

#include <algorithm>
#include <cstdio>

namespace prefixmem::trainer {
namespace {

std::string gib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GiB", static_cast<double>(bytes) / (int64_t{1} << 30));
  return text;
}

std::string what_to_change(const JobSpec& spec) {
  const auto checkpointing = spec.train.activation_checkpointing.value_or(Checkpointing::kOff);
  return checkpointing == Checkpointing::kOff
             ? "train.activation_checkpointing auto or a lower train.micro_batch_tokens takes less"
             : "a lower train.micro_batch_tokens takes less";
}

}  // namespace

memory::PassSize pass_over(const JobSpec& spec, const std::vector<Example>& rows, bool shared) {
  int64_t longest = 0, labels = 0;
  for (const Example& row : rows) {
    longest = std::max(longest, row.input_tokens());
    labels = std::max(labels, row.label_tokens());
  }
  const int64_t tokens = std::max(spec.train.micro_batch_tokens, longest);
  if (shared) return {tokens, tokens, longest};
  const int64_t own = std::min(tokens, memory::step_tokens(spec, longest));
  return {own, std::min(own, memory::step_tokens(spec, labels)), longest};
}

int64_t beside_the_base(int64_t memory, int ranks, const JobSpec& spec,
                        const memory::Estimate& base) {
  const int64_t weights = memory::shares_weights(spec) ? base.weights / ranks : base.weights;
  return std::max<int64_t>(0, memory / ranks - weights - base.program);
}

Result<MemoryFit> find_fit(const JobSpec& spec, const ModelConfig& model,
                           const memory::PassSize& pass, int64_t free) {
  MemoryFit fit;
  PM_ASSIGN(fit.recomputed_layers, memory::layers_to_recompute(spec, model, pass, free));
  PM_ASSIGN(const auto needed, memory::estimate(spec, model, pass, fit.recomputed_layers));
  fit.trained = needed.adapter + needed.optimizer;
  fit.is_enough = needed.of_training() <= free;
  const std::string sizes = "a rank needs about " + gib(needed.of_training()) +
                            " beside the base for micro-batches of " + std::to_string(pass.tokens) +
                            " tokens";
  if (!fit.is_enough) {
    fit.note = sizes + ", and " + gib(free) + " are free; " + what_to_change(spec);
  } else if (spec.train.activation_checkpointing == Checkpointing::kAuto) {
    fit.note = sizes + ", of " + gib(free) + ": backward computes " +
               std::to_string(fit.recomputed_layers) + " of " + std::to_string(model.num_layers) +
               " layers again";
  }
  return fit;
}

}  // namespace prefixmem::trainer
