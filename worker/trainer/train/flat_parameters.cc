#include "worker/trainer/train/flat_parameters.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <algorithm>
#include <vector>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kNormBlock = 1 << 20;

// In double: on a CPU, at::norm of a long fp32 buffer is off by 1e-4 at five million values.
double norm_of(const torch::Tensor& values) {
  std::vector<torch::Tensor> norms;
  for (const torch::Tensor& block : values.split(kNormBlock)) {
    norms.push_back(at::linalg_vector_norm(block, 2, {}, false, at::kDouble));
  }
  return at::stack(norms).norm().item<double>();
}

torch::Tensor ratios_of(const std::vector<Parameter>& parameters, const torch::Tensor& values) {
  const auto plain = [](const Parameter& p) { return p.learning_rate_ratio == 1; };
  if (std::all_of(parameters.begin(), parameters.end(), plain)) return {};
  torch::Tensor ratios = torch::empty_like(values);
  int64_t begin = 0;
  for (const Parameter& parameter : parameters) {
    const int64_t count = parameter.value.numel();
    ratios.narrow(0, begin, count).fill_(parameter.learning_rate_ratio);
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
  rate_ratios_ = ratios_of(parameters, values_);
}

double FlatParameters::clip_gradients(double max_norm) {
  const torch::NoGradGuard no_grad;
  const double norm = norm_of(gradients_);
  if (max_norm > 0 && norm > max_norm) gradients_.mul_(max_norm / (norm + 1e-6));
  return norm;
}

}  // namespace prefixmem::trainer
