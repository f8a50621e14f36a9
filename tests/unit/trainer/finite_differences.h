// Slopes by central differences, for every element of every input.
#pragma once

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <functional>
#include <vector>

namespace prefixmem::trainer {

// Holds autograd's gradients of a scalar function of these fp64 leaves against central differences.
inline void expect_gradients_by_differences(const std::vector<torch::Tensor>& inputs,
                                            const std::function<torch::Tensor()>& value) {
  const auto gradients = torch::autograd::grad({value()}, inputs);
  const torch::NoGradGuard no_grad;
  const double step = 1e-5;
  for (size_t input = 0; input < inputs.size(); ++input) {
    const auto elements = inputs[input].view(-1), slopes = gradients[input].reshape(-1);
    for (int64_t i = 0; i < elements.numel(); ++i) {
      const double at = elements[i].item<double>();
      elements[i] = at + step;
      const double above = value().item<double>();
      elements[i] = at - step;
      const double below = value().item<double>();
      elements[i] = at;
      EXPECT_NEAR(slopes[i].item<double>(), (above - below) / (2 * step), 1e-8)
          << "input " << input << ", element " << i;
    }
  }
}

}  // namespace prefixmem::trainer
