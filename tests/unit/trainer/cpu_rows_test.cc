// The single passes of the CPU: norm, rotary, gate.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/unit/trainer/against_double.h"
#include "worker/trainer/ops/cpu/isa.h"
#include "worker/trainer/ops/gated_activation.h"
#include "worker/trainer/ops/rms_norm.h"
#include "worker/trainer/ops/rotary.h"

namespace prefixmem::trainer {
namespace {

class CpuRows : public testing::TestWithParam<torch::Dtype> {
 protected:
  void SetUp() override { torch::manual_seed(1); }

  // Columns of a wider tensor where `gaps`, as the parts of a joint projection are.
  torch::Tensor leaf(const std::vector<int64_t>& shape, bool gaps = false) const {
    std::vector<int64_t> wide = shape;
    if (gaps) wide.back() += 5;
    const torch::Tensor x = (torch::randn(wide) * 2).to(GetParam());
    return x.narrow(-1, 0, shape.back()).requires_grad_();
  }
};

INSTANTIATE_TEST_SUITE_P(Dtypes, CpuRows, testing::Values(torch::kFloat, torch::kBFloat16),
                         [](const auto& info) { return std::string(toString(info.param)); });

constexpr double kEps = 1e-6;

torch::Tensor plain_norm(const torch::Tensor& x, const torch::Tensor& weight, double offset) {
  return x * (x.square().mean(-1, true) + kEps).rsqrt() * (weight + offset);
}

TEST_P(CpuRows, Norm) {
  for (const int64_t n : {3, 7, 16, 33, 640}) {
    for (const bool gaps : {false, true}) {
      const auto weight = torch::randn({n}).to(GetParam());
      expect_near_double(
          {leaf({70, n}, gaps), weight},
          [](const auto& in) { return rms_norm(in[0], in[1], kEps, 1); },
          [](const auto& in) { return plain_norm(in[0], in[1], 1); }, rounding_of(GetParam()));
    }
  }
}

TEST_P(CpuRows, NormAddedToAResidual) {
  for (const int64_t n : {6, 48, 100}) {
    expect_near_double(
        {leaf({33, n}), leaf({33, n}, true), torch::randn({n})},
        [](const auto& in) { return add_rms_norm(in[0], in[1], in[2], kEps); },
        [](const auto& in) { return in[0] + plain_norm(in[1], in[2], 0); },
        rounding_of(GetParam()));
  }
}

TEST_P(CpuRows, RotaryOfHeads) {
  for (const int64_t d : {2, 6, 32, 66, 256}) {
    const auto tables = rotary_tables(torch::arange(40), torch::rand({d / 2}), 1.25);
    expect_near_double(
        {leaf({40, 3, d}, true)}, [&](const auto& in) { return rotate(in[0], tables); },
        [&](const auto& in) {
          const auto halves = in[0].chunk(2, -1);
          return torch::cat({halves[0] * tables.cos - halves[1] * tables.sin,
                             halves[1] * tables.cos + halves[0] * tables.sin},
                            -1);
        },
        rounding_of(GetParam()));
  }
}

TEST_P(CpuRows, Gate) {
  for (const int64_t n : {1, 17, 2048}) {
    const std::vector<torch::Tensor> inputs{leaf({19, n}), leaf({19, n}, true)};
    expect_near_double(
        inputs, [](const auto& in) { return gated_activation(in[0], in[1], Activation::kSilu); },
        [](const auto& in) { return in[0] * in[0].sigmoid() * in[1]; }, rounding_of(GetParam()));
    expect_near_double(
        inputs,
        [](const auto& in) { return gated_activation(in[0], in[1], Activation::kGeluTanh); },
        [](const auto& in) {
          return 0.5 * in[0] *
                 (1 + (0.7978845608028654 * (in[0] + 0.044715 * in[0].pow(3))).tanh()) * in[1];
        },
        rounding_of(GetParam()));
  }
}

TEST_P(CpuRows, GateFarFromZero) {
  const auto ends = torch::tensor({-3e4F, -120.0F, -60.0F, 60.0F, 120.0F, 3e4F}).to(GetParam());
  for (const Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    const auto x = ends.view({1, 6}).clone().requires_grad_();
    const auto y = gated_activation(x, torch::ones_like(x), activation);
    y.sum().backward();
    EXPECT_TRUE(torch::allclose(y, ends.clamp_min(0).view({1, 6}), 0, 1e-6));
    EXPECT_TRUE(torch::allclose(x.grad(), (ends > 0).to(GetParam()).view({1, 6}), 0, 1e-6));
  }
}

// One row of each kernel's output, in fp32.
torch::Tensor outputs(const cpu::RowKernels<float>& kernels, const torch::Tensor& x, int64_t n) {
  torch::Tensor out = torch::zeros({9, n});
  const auto in = [&](int64_t i) { return cpu::Rows<const float>{x[i].data_ptr<float>(), n}; };
  const auto to = [&](int64_t i) { return cpu::Rows<float>{out[i].data_ptr<float>(), n}; };
  float inverse = 0;
  kernels.norm(in(0), x[1].data_ptr<float>(), in(2), 1e-6F, to(0), &inverse, 1, n);
  kernels.norm_backward(in(3), in(0), x[1].data_ptr<float>(), &inverse, to(1), 1, n);
  kernels.rotate(in(0), x[1].data_ptr<float>(), x[2].data_ptr<float>(), -1, to(2), 1, n);
  kernels.gate(cpu::Gate::kGeluTanh, in(0), in(1), to(3), 1, n);
  kernels.gate_backward(cpu::Gate::kSilu, in(0), in(1), in(2), to(4), to(5), 1, n);
  kernels.feature(cpu::Feature::kElu, in(0), to(6), 1, n);
  kernels.feature(cpu::Feature::kEluPlusOne, in(0), to(7), 1, n);
  kernels.feature_backward(cpu::Feature::kElu, in(0), in(1), to(8), 1, n);
  return out;
}

// Of sets that this processor has not, nothing is known here.
TEST(CpuInstructionSets, GiveTheSameNumbers) {
  torch::manual_seed(2);
  for (const int64_t n : {2, 30, 64, 74}) {
    const auto x = torch::randn({4, n});
    const auto want = outputs(cpu::any::float_rows(), x, n);
    for (const cpu::Isa& isa : cpu::supported_isas()) {
      EXPECT_TRUE(torch::allclose(outputs(*isa.float_rows, x, n), want, 1e-5, 1e-6));
    }
  }
}

}  // namespace
}  // namespace prefixmem::trainer
