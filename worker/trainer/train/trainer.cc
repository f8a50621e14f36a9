#include "worker/trainer/train/trainer.h"

#include <torch/torch.h>

#include <chrono>
#include <cmath>

#include "worker/trainer/data/pack.h"
#include "worker/trainer/train/schedule.h"

namespace prefixmem::trainer {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Trainer::Trainer(const TrainSpec& spec, const std::vector<Example>& rows, Decoder& model,
                 Adapter& adapter, Collective& gang)
    : spec_(spec),
      rows_(rows),
      model_(model),
      adapter_(adapter),
      gang_(gang),
      sampler_(static_cast<int64_t>(rows.size()), spec.global_batch_size, spec.seed),
      total_steps_(sampler_.total_steps(spec)),
      parameters_(adapter.parameters()),
      optimizer_(parameters_.values(), {.weight_decay = spec.weight_decay},
                 parameters_.rate_ratios()) {}

Result<StepEvent> Trainer::step() {
  const auto start = Clock::now();
  const int64_t done = steps_done();
  const StepPlan plan =
      plan_step(sampler_.batch(done), rows_, gang_.rank(), gang_.size(), spec_.micro_batch_tokens);
  StepEvent event;
  event.step = done + 1;
  event.total_steps = total_steps_;
  event.tokens = plan.tokens;
  event.label_tokens = plan.label_tokens;
  event.learning_rate = learning_rate_at(spec_, done, total_steps_);

  parameters_.zero_gradients();
  double loss = forward_backward(plan);
  PM_TRY(sum_over_ranks(loss, event));
  event.loss = loss / static_cast<double>(plan.label_tokens);
  PM_TRY(check_finite("loss", event.loss));
  event.grad_norm = parameters_.clip_gradients(spec_.max_grad_norm);
  PM_TRY(check_finite("gradient norm", event.grad_norm));
  optimizer_.step(parameters_.values(), parameters_.gradients(), event.learning_rate);

  event.step_seconds = seconds_since(start);
  return event;
}

double Trainer::forward_backward(const StepPlan& plan) {
  const double scale = 1.0 / static_cast<double>(plan.label_tokens);
  double loss = 0;
  for (const auto& rows : plan.micro_batches) {
    const RaggedBatch batch = pack_rows(rows, rows_).to(gang_.device());
    const torch::Tensor hidden = model_.hidden(batch, &adapter_, batch.label_sources);
    const torch::Tensor loss_sum = -model_.token_log_probs(hidden, batch.label_ids).sum();
    (loss_sum * scale).backward();
    loss += loss_sum.item<double>();
  }
  return loss;
}

Status Trainer::sum_over_ranks(double& loss, StepEvent& event) {
  const auto start = Clock::now();
  PM_TRY(gang_.all_reduce_sum(parameters_.gradients()));
  PM_TRY(gang_.all_reduce_sum({&loss, 1}));
  event.allreduce_seconds = seconds_since(start);
  return {};
}

Status Trainer::check_finite(const char* what, double value) const {
  if (std::isfinite(value)) return {};
  return failed_precondition(std::string(what) + " is " + (std::isnan(value) ? "nan" : "infinite") +
                             " at step " + std::to_string(steps_done() + 1) +
                             "; lower train.learning_rate, raise train.warmup_steps or set "
                             "train.max_grad_norm");
}

}  // namespace prefixmem::trainer
