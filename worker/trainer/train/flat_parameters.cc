#include "worker/trainer/train/flat_parameters.h"

#include <torch/autograd.h>

namespace prefixmem::trainer {

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
}

double FlatParameters::clip_gradients(double max_norm) {
  const torch::NoGradGuard no_grad;
  const double norm = gradients_.norm().item<double>();
  if (max_norm > 0 && norm > max_norm) gradients_.mul_(max_norm / (norm + 1e-6));
  return norm;
}

}  // namespace prefixmem::trainer
