// Slopes by central differences.
#pragma once

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <functional>
#include <vector>

namespace prefixmem::trainer {

// Of a scalar function of this fp64 tensor, whose elements are moved one at a time.
inline torch::Tensor slopes_of(const torch::Tensor& input,
                               const std::function<torch::Tensor()>& value) {
  const torch::NoGradGuard no_grad;
  const double step = 1e-5;
  const torch::Tensor slopes = torch::empty_like(input);
  const torch::Tensor elements = input.view(-1), to = slopes.view(-1);
  for (int64_t i = 0; i < elements.numel(); ++i) {
    const double at = elements[i].item<double>();
    elements[i] = at + step;
    const double above = value().item<double>();
    elements[i] = at - step;
    const double below = value().item<double>();
    elements[i] = at;
    to[i] = (above - below) / (2 * step);
  }
  return slopes;
}

// Holds autograd's gradients of a scalar function of these fp64 leaves against central differences.
inline void expect_gradients_by_differences(const std::vector<torch::Tensor>& inputs,
                                            const std::function<torch::Tensor()>& value) {
  const auto gradients = torch::autograd::grad({value()}, inputs);
  for (size_t input = 0; input < inputs.size(); ++input) {
    const auto want = slopes_of(inputs[input], value).view(-1), got = gradients[input].reshape(-1);
    for (int64_t i = 0; i < want.numel(); ++i) {
      EXPECT_NEAR(got[i].item<double>(), want[i].item<double>(), 1e-8)
          << "input " << input << ", element " << i;
    }
  }
}

}  // namespace prefixmem::trainer
