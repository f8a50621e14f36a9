#include "worker/trainer/train/trainer.h"

#include <chrono>
#include <cmath>

#include "worker/trainer/train/joint_step.h"
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
      optimizer_(make_optimizer(adapter, task.spec, gang)) {
  if (bits_of_any_ranks(task.spec, adapter)) exact_loss_.emplace(1, torch::kCPU);
}

Result<StepEvent> Trainer::step() {
  PM_ASSIGN(auto made, step_together(model_, {this}));
  return std::move(made.front());
}

void Trainer::begin_step() {
  start_ = Clock::now();
  plan_ = plan_step(sampler_.batch(steps_done()), task_.examples,
                    {gang_.rank(), gang_.size(), task_.spec.micro_batch_tokens,
                     task_.examples_per_row, min_shared_, exact_loss_.has_value()});
  units_ = static_cast<double>(task_.objective.units(plan_.examples, plan_.label_tokens));
  loss_sum_ = 0;
  if (exact_loss_) exact_loss_->clear();
  optimizer_->zero_gradients();
}

std::optional<ScoredBatch> Trainer::micro_batch(size_t round) const {
  if (round >= plan_.micro_batches.size()) return {};
  ScoredBatch batch(plan_.micro_batches[round], task_.examples, gang_.device(), min_shared_);
  if (adapter_.uses_dropout()) batch.drop_out(task_.spec.seed, steps_done());
  return batch;
}

void Trainer::add_loss(double sum) {
  if (exact_loss_) {
    exact_loss_->add(torch::full({1}, sum, torch::kDouble));
  } else {
    loss_sum_ += sum;
  }
}

Status Trainer::sum_over_ranks() {
  PM_TRY(optimizer_->sum_gradients());
  if (exact_loss_) {
    PM_TRY(exact_loss_->sum_over(gang_));
    loss_sum_ = exact_loss_->value().item<double>();
    return {};
  }
  return gang_.all_reduce_sum({&loss_sum_, 1});
}

Result<StepEvent> Trainer::finish_step() {
  event_ = {};
  event_.step = steps_done() + 1;
  event_.total_steps = total_steps_;
  event_.tokens = plan_.tokens;
  event_.label_tokens = plan_.label_tokens;
  event_.learning_rate = learning_rate_at(task_.spec, steps_done(), total_steps_);
  event_.loss = loss_sum_ / units_;
  PM_TRY(check_finite("loss", event_.loss));
  PM_ASSIGN(event_.grad_norm, optimizer_->clip_gradients(task_.spec.max_grad_norm));
  PM_TRY(check_finite("gradient norm", event_.grad_norm));
  PM_TRY(optimizer_->step(event_.learning_rate));
  event_.allreduce_seconds = optimizer_->communication_seconds();
  event_.step_seconds = seconds_since(start_);
  return event_;
}

Status Trainer::check_finite(const char* what, double value) const {
  if (std::isfinite(value)) return {};
  return failed_precondition(std::string(what) + " is " + (std::isnan(value) ? "nan" : "infinite") +
                             " at step " + std::to_string(steps_done() + 1) +
                             "; lower train.learning_rate, raise train.warmup_steps or set "
                             "train.max_grad_norm");
}

}  // namespace prefixmem::trainer
