// An operation in fp32 or bf16 against the plain formula of the same numbers in double.
#pragma once

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <functional>
#include <vector>

namespace prefixmem::trainer {

using Operation = std::function<torch::Tensor(const std::vector<torch::Tensor>&)>;

// Value, then the gradient of each input that requires one, of the weighted sum of the value.
inline std::vector<torch::Tensor> value_and_gradients(const std::vector<torch::Tensor>& inputs,
                                                      const Operation& operation) {
  std::vector<torch::Tensor> leaves;
  for (const torch::Tensor& input : inputs) {
    if (input.requires_grad()) leaves.push_back(input);
  }
  const torch::Tensor value = operation(inputs);
  std::vector<torch::Tensor> results{value.detach()};
  if (leaves.empty()) return results;
  torch::manual_seed(11);
  const torch::Tensor weight = torch::randn(value.sizes()).to(torch::kBFloat16);
  for (auto& gradient :
       torch::autograd::grad({(value * weight.to(value.scalar_type())).sum()}, leaves)) {
    results.push_back(std::move(gradient));
  }
  return results;
}

inline std::vector<torch::Tensor> in_double(const std::vector<torch::Tensor>& inputs) {
  std::vector<torch::Tensor> wide;
  for (const torch::Tensor& input : inputs) {
    wide.push_back(input.detach().to(torch::kDouble).requires_grad_(input.requires_grad()));
  }
  return wide;
}

// Error relative to the norm, of value and gradients, at most `tolerance`; the same bits with one
// thread and with two.
inline void expect_near_double(const std::vector<torch::Tensor>& inputs, const Operation& fused,
                               const Operation& plain, double tolerance) {
  const auto got = value_and_gradients(inputs, fused);
  at::set_num_threads(2);
  const auto again = value_and_gradients(inputs, fused);
  at::set_num_threads(1);
  const auto want = value_and_gradients(in_double(inputs), plain);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].sizes(), want[i].sizes()) << "result " << i;
    EXPECT_TRUE(torch::equal(got[i], again[i])) << "result " << i << " depends on the threads";
    const double error = (got[i].to(torch::kDouble) - want[i]).norm().item<double>();
    EXPECT_LE(error, tolerance * want[i].norm().item<double>() + 1e-12) << "result " << i;
  }
}

// One rounding moves a bf16 number by at most 2^-8 of itself.
inline constexpr double kOneBf16Rounding = 0x1p-8 * 1.01;

inline double rounding_of(torch::Dtype dtype) {
  return dtype == torch::kBFloat16 ? kOneBf16Rounding : 1e-6;
}

}  // namespace prefixmem::trainer
