#include "worker/trainer/train/trainer.h"

#include <torch/torch.h>

#include <chrono>
#include <cmath>

#include "worker/trainer/objective/score.h"
#include "worker/trainer/train/schedule.h"

namespace prefixmem::trainer {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Trainer::Trainer(const TrainTask& task, Decoder& model, Adapter& adapter, Collective& gang)
    : task_(task),
      model_(model),
      adapter_(adapter),
      gang_(gang),
      sampler_(static_cast<int64_t>(task.examples.size()) / task.examples_per_row,
               task.spec.global_batch_size, task.spec.seed),
      total_steps_(sampler_.total_steps(task.spec)),
      min_shared_(adapter.uses_dropout() ? kShareNothing : kMinShared),
      optimizer_(make_optimizer(adapter, task.spec, gang)) {}

Result<StepEvent> Trainer::step() {
  const auto start = Clock::now();
  const int64_t done = steps_done();
  const StepPlan plan = plan_step(sampler_.batch(done), task_.examples,
                                  {gang_.rank(), gang_.size(), task_.spec.micro_batch_tokens,
                                   task_.examples_per_row, min_shared_});
  StepEvent event;
  event.step = done + 1;
  event.total_steps = total_steps_;
  event.tokens = plan.tokens;
  event.label_tokens = plan.label_tokens;
  event.learning_rate = learning_rate_at(task_.spec, done, total_steps_);

  optimizer_->zero_gradients();
  PM_ASSIGN(event.loss, forward_backward(plan));
  PM_TRY(check_finite("loss", event.loss));
  PM_ASSIGN(event.grad_norm, optimizer_->clip_gradients(task_.spec.max_grad_norm));
  PM_TRY(check_finite("gradient norm", event.grad_norm));
  PM_TRY(optimizer_->step(event.learning_rate));

  event.allreduce_seconds = optimizer_->communication_seconds();
  event.step_seconds = seconds_since(start);
  return event;
}

Result<double> Trainer::forward_backward(const StepPlan& plan) {
  const auto units = static_cast<double>(task_.objective.units(plan.examples, plan.label_tokens));
  double loss = 0;
  for (size_t round = 0; round < plan.rounds; ++round) {
    if (round < plan.micro_batches.size()) {
      loss += forward_backward(plan.micro_batches[round], 1 / units);
    }
    PM_TRY(optimizer_->after_backward());
  }
  PM_TRY(optimizer_->sum_gradients());
  PM_TRY(gang_.all_reduce_sum({&loss, 1}));
  return loss / units;
}

double Trainer::forward_backward(const std::vector<int64_t>& examples, double scale) {
  ScoredBatch batch(examples, task_.examples, gang_.device(), min_shared_);
  if (adapter_.uses_dropout()) batch.drop_out(task_.spec.seed, steps_done());
  const ExampleScores scores = batch.score(model_, &adapter_, task_.reference);
  const torch::Tensor loss_sum = task_.objective.loss_sum(scores);
  (loss_sum * scale).backward();
  return loss_sum.item<double>();
}

Status Trainer::check_finite(const char* what, double value) const {
  if (std::isfinite(value)) return {};
  return failed_precondition(std::string(what) + " is " + (std::isnan(value) ? "nan" : "infinite") +
                             " at step " + std::to_string(steps_done() + 1) +
                             "; lower train.learning_rate, raise train.warmup_steps or set "
                             "train.max_grad_norm");
}

}  // namespace prefixmem::trainer
