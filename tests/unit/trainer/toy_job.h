// A job on the toy model, for the gang that the tests of a process share.
#pragma once

#include <vector>

#include "tests/unit/trainer/sft_task.h"
#include "tests/unit/trainer/test_gang.h"
#include "tests/unit/trainer/toy_model.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {

inline TrainSpec toy_spec() {
  TrainSpec spec;
  spec.max_steps = 12;
  spec.global_batch_size = 5;
  spec.learning_rate = 0.05;
  spec.schedule = Schedule::kCosine;
  spec.warmup_steps = 2;
  spec.max_grad_norm = 0.5;
  spec.weight_decay = 0.01;
  return spec;
}

struct Toy {
  Toy(const TrainSpec& train, Collective& collective, bool sharded = false)
      : spec(train),
        rows(toy_rows(13)),
        adapter(ToyDecoder::kHidden, sharded),
        trainer(sft_task(spec, rows), model, adapter, collective) {}

  std::vector<double> losses(int64_t steps) {
    std::vector<double> out;
    for (int64_t i = 0; i < steps; ++i) out.push_back(trainer.step().value().loss);
    return out;
  }

  const TrainSpec spec;
  const std::vector<Example> rows;
  ToyDecoder model;
  ToyAdapter adapter;
  Trainer trainer;
};

}  // namespace prefixmem::trainer
