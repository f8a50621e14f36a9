#include "worker/trainer/train/flat_parameters.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <algorithm>
#include <vector>

#include "worker/trainer/train/gradient_norm.h"

namespace prefixmem::trainer {
namespace {

double rate_ratio(const Parameter& parameter) { return parameter.learning_rate_ratio; }

double decay_ratio(const Parameter& parameter) { return parameter.name.ends_with("bias") ? 0 : 1; }

// Undefined where all are 1.
torch::Tensor ratios_of(const std::vector<Parameter>& parameters,
                        double (*ratio)(const Parameter& parameter), const torch::Tensor& values) {
  const auto plain = [&](const Parameter& p) { return ratio(p) == 1; };
  if (std::all_of(parameters.begin(), parameters.end(), plain)) return {};
  torch::Tensor ratios = torch::empty_like(values);
  int64_t begin = 0;
  for (const Parameter& parameter : parameters) {
    const int64_t count = parameter.value.numel();
    ratios.narrow(0, begin, count).fill_(ratio(parameter));
    begin += count;
  }
  return ratios;
}

}  // namespace

FlatParameters::FlatParameters(std::vector<Parameter>& parameters) {
  const torch::NoGradGuard no_grad;
  int64_t count = 0;
  for (const Parameter& parameter : parameters) count += parameter.value.numel();
  const auto device =
      parameters.empty() ? torch::Device(torch::kCPU) : parameters[0].value.device();
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(device);
  values_ = torch::empty({count}, options);
  gradients_ = torch::zeros({count}, options);
  int64_t begin = 0;
  for (Parameter& parameter : parameters) {
    torch::Tensor& value = parameter.value;
    const int64_t end = begin + value.numel();
    torch::Tensor view = values_.slice(0, begin, end).view(value.sizes());
    view.copy_(value);
    value.set_data(view);
    value.mutable_grad() = gradients_.slice(0, begin, end).view(value.sizes());
    begin = end;
  }
  ratios_ = {ratios_of(parameters, rate_ratio, values_),
             ratios_of(parameters, decay_ratio, values_)};
}

double FlatParameters::clip_gradients(double max_norm) {
  const torch::NoGradGuard no_grad;
  const double norm = norm_of(gradients_);
  const double factor = clip_factor(norm, max_norm);
  if (factor != 1) gradients_.mul_(factor);
  return norm;
}

}  // namespace prefixmem::trainer
