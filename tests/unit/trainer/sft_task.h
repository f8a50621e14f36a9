// Supervised fine-tuning on some rows, which must outlive the task.
#pragma once

#include <vector>

#include "worker/trainer/objective/sft.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {

inline TrainTask sft_task(const TrainSpec& spec, const std::vector<Example>& rows) {
  static const auto kSft = make_sft();
  return {spec, rows, 1, *kSft, nullptr};
}

}  // namespace prefixmem::trainer
