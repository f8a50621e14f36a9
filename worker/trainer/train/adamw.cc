#include "worker/trainer/train/adamw.h"

#include <torch/autograd.h>

#include <cmath>

#include "worker/trainer/ops/cpu/optimizer.h"

namespace prefixmem::trainer {
namespace {

torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b) {
  return a.defined() && b.defined() ? a * b : a.defined() ? a : b;
}

}  // namespace

AdamW::AdamW(const torch::Tensor& values, const AdamWOptions& options, const ValueRatios& ratios)
    : options_(options),
      rate_ratios_(ratios.learning_rate),
      decay_ratios_(product(ratios.learning_rate, ratios.weight_decay)),
      first_moment_(torch::zeros_like(values)),
      second_moment_(torch::zeros_like(values)) {}

void AdamW::step(torch::Tensor& values, const torch::Tensor& gradients, double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const double n = static_cast<double>(steps_);
  const double correction1 = 1 - std::pow(options_.beta1, n);
  const double correction2 = 1 - std::pow(options_.beta2, n);
  const double decay = learning_rate * options_.weight_decay;
  if (values.is_cpu()) {
    const auto narrow = [](double x) { return static_cast<float>(x); };
    const auto data = [](const torch::Tensor& x) {
      return x.defined() ? x.data_ptr<float>() : nullptr;
    };
    return cpu::adamw({.one_minus_beta1 = narrow(1 - options_.beta1),
                       .beta2 = narrow(options_.beta2),
                       .one_minus_beta2 = narrow(1 - options_.beta2),
                       .epsilon = narrow(options_.epsilon),
                       .rate = narrow(learning_rate / correction1),
                       .root_correction = narrow(1 / std::sqrt(correction2)),
                       .decay = narrow(decay)},
                      {.values = data(values),
                       .first_moment = data(first_moment_),
                       .second_moment = data(second_moment_),
                       .gradients = data(gradients),
                       .rate_ratios = data(rate_ratios_),
                       .decay_ratios = data(decay_ratios_)},
                      values.numel());
  }
  if (decay != 0 && decay_ratios_.defined()) values.addcmul_(values, decay_ratios_, -decay);
  if (decay != 0 && !decay_ratios_.defined()) values.mul_(1 - decay);
  first_moment_.lerp_(gradients, 1 - options_.beta1);
  second_moment_.mul_(options_.beta2).addcmul_(gradients, gradients, 1 - options_.beta2);
  torch::Tensor denominator =
      second_moment_.sqrt().div_(std::sqrt(correction2)).add_(options_.epsilon);
  if (rate_ratios_.defined()) denominator.div_(rate_ratios_);
  values.addcdiv_(first_moment_, denominator, -learning_rate / correction1);
}

}  // namespace prefixmem::trainer
