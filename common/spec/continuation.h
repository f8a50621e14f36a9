// Going on from the checkpoint of another job (train.continue_from).
#pragma once

#include <string_view>

namespace prefixmem::spec {

// Keys of the spec, separated by ", ", in which a job may differ from the one that made the
// checkpoint: what each step asks for anew, so that neither the checkpoint nor the order of rows
// depends on it. The first are those that a population explores (sweep.search pbt); the others say
// how long training is, by which the schedule goes.
inline constexpr std::string_view kExploredKeys =
    "train.learning_rate, train.warmup_steps, train.weight_decay, train.max_grad_norm, "
    "method.dropout, method.loraplus_lr_ratio, method.feature_lr_ratio, objective.beta, "
    "objective.gamma, objective.label_smoothing";
inline constexpr std::string_view kOtherContinuationKeys =
    "train.max_steps, train.epochs, train.schedule, train.micro_batch_tokens";

// Whether one of such keys is `path`.
bool is_listed(std::string_view path, std::string_view keys);

inline bool may_differ_in_continuation(std::string_view path) {
  return is_listed(path, kExploredKeys) || is_listed(path, kOtherContinuationKeys);
}

}  // namespace prefixmem::spec
