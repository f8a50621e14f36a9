// The hand-written backwards that compute in fp32 against central differences of their formulas in
// double, for every element of every input.
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <functional>
#include <limits>

#include "tests/unit/trainer/finite_differences.h"
#include "worker/trainer/ops/add_rows.h"
#include "worker/trainer/ops/attention.h"
#include "worker/trainer/ops/gated_activation.h"
#include "worker/trainer/ops/linear.h"
#include "worker/trainer/ops/rms_norm.h"
#include "worker/trainer/ops/rotary.h"
#include "worker/trainer/ops/token_log_probs.h"

namespace prefixmem::trainer {
namespace {

using Tensors = std::vector<torch::Tensor>;
using Function = std::function<torch::Tensor(const Tensors&)>;

// Values and gradients of a random weighting; what is 0 in the formula is 0.
void check(const Function& operation, const Function& formula, const Tensors& inputs) {
  const torch::Tensor out = operation(inputs);
  Tensors wide;
  for (const auto& input : inputs) wide.push_back(input.detach().to(torch::kDouble));
  const torch::Tensor weights = torch::randn(out.sizes(), torch::kDouble);
  const auto near = [](const torch::Tensor& got, const torch::Tensor& want) {
    const torch::Tensor away = (got.to(torch::kDouble) - want).abs().max();
    return away.item<double>() <= 2e-6 * std::max(1.0, want.abs().max().item<double>());
  };
  EXPECT_TRUE(near(out.detach(), formula(wide)));
  const auto gradients =
      torch::autograd::grad({(out * weights.to(out.scalar_type())).sum()}, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto value = [&] { return (formula(wide) * weights).sum(); };
    EXPECT_TRUE(near(gradients[i], slopes_of(wide[i], value))) << "input " << i;
  }
}

torch::Tensor leaf(const std::vector<int64_t>& shape) {
  return torch::randn(shape).requires_grad_();
}

TEST(OpsGradients, RmsNorm) {
  torch::manual_seed(1);
  for (const double offset : {0.0, 1.0}) {
    check([&](const Tensors& x) { return rms_norm(x[0], x[1], 1e-2, offset); },
          [&](const Tensors& x) {
            const auto scale = (x[0].square().mean(-1, true) + 1e-2).sqrt();
            return x[0] / scale * (x[1] + offset);
          },
          {leaf({3, 2, 6}), leaf({6})});
  }
}

TEST(OpsGradients, Rotary) {
  torch::manual_seed(2);
  const auto tables = rotary_tables(torch::tensor({0, 3, 40}, torch::kLong),
                                    torch::tensor({1.0F, 0.1F, 0.01F}), 1.25);
  const auto cos = tables.cos.to(torch::kDouble), sin = tables.sin.to(torch::kDouble);
  check([&](const Tensors& x) { return rotate(x[0], tables); },
        [&](const Tensors& x) {
          const auto halves = x[0].chunk(2, -1);
          return torch::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin},
                            -1);
        },
        {leaf({3, 2, 6})});
}

TEST(OpsGradients, GatedActivation) {
  torch::manual_seed(3);
  const auto silu = [](const torch::Tensor& x) { return x / (1 + (-x).exp()); };
  const auto gelu = [](const torch::Tensor& x) {
    return x * 0.5 * (1 + (0.7978845608028654 * (x + 0.044715 * x.pow(3))).tanh());
  };
  const auto run = [](Activation activation, const auto& plain) {
    check([&](const Tensors& x) { return gated_activation(x[0], x[1], activation); },
          [&](const Tensors& x) { return plain(x[0]) * x[1]; }, {leaf({3, 8}), leaf({3, 8})});
  };
  run(Activation::kSilu, silu);
  run(Activation::kGeluTanh, gelu);
}

// Maps of one input, the second with a bias; what they give is put side by side.
TEST(OpsGradients, FrozenLinear) {
  torch::manual_seed(6);
  const std::vector<LinearWeights> maps = {{torch::randn({4, 5}), {}},
                                           {torch::randn({3, 5}), torch::randn({3})},
                                           {torch::randn({2, 5}), {}}};
  check([&](const Tensors& x) { return torch::cat(linear(x[0], maps), 1); },
        [&](const Tensors& x) {
          Tensors parts;
          for (const auto& [weight, bias] : maps) {
            parts.push_back(x[0].matmul(weight.to(torch::kDouble).t()));
            if (bias.defined()) parts.back() = parts.back() + bias.to(torch::kDouble);
          }
          return torch::cat(parts, 1);
        },
        {leaf({6, 5})});
}

// Two runs with a row before, between and after them.
TEST(OpsGradients, AddRows) {
  torch::manual_seed(7);
  const auto runs = [](const Tensors& x) { return std::vector<RowsToAdd>{{1, x[1]}, {4, x[2]}}; };
  const auto formula = [](const Tensors& x) {
    const auto none = torch::zeros({1, 3}, torch::kDouble);
    return x[0] + torch::cat({none, x[1], none, x[2], none});
  };
  const Tensors inputs = {leaf({7, 3}), leaf({2, 3}), leaf({2, 3})};
  check([&](const Tensors& x) { return add_rows(x[0], runs(x)); }, formula, inputs);
  check([&](const Tensors& x) { return add_rows_in_place(x[0] * 1, runs(x)); }, formula, inputs);
}

TEST(OpsGradients, TokenLogProbs) {
  torch::manual_seed(4);
  const auto ids = torch::tensor({2, 0, 6, 2}, torch::kLong);
  const auto formula = [&](const Tensors& x) {
    const auto scores = x[0].matmul(x[1].t());
    const auto total = scores.exp().sum(1).log();
    return scores.gather(1, ids.unsqueeze(1)).squeeze(1) - total;
  };
  const auto operation = [&](const Tensors& x) { return token_log_probs(x[0], x[1], ids); };
  const auto hidden = leaf({4, 5}), head = leaf({7, 5});
  check(operation, formula, {hidden, head});
  const auto frozen = head.detach();
  check([&](const Tensors& x) { return operation({x[0], frozen}); },
        [&](const Tensors& x) { return formula({x[0], frozen.to(torch::kDouble)}); }, {hidden});
}

// Which keys each query sees, in words of its rows: a tree of a root and two branches, and a row;
// two keys of a prefix before all.
TEST(OpsGradients, Attention) {
  torch::manual_seed(5);
  RaggedBuilder builder;
  for (const auto& [length, parent] : {std::pair(3, -1), {2, 0}, {1, 0}, {2, -1}}) {
    builder.add(std::vector<int32_t>(length, 1), parent);
  }
  const auto segments = std::move(builder).build().segments;
  const std::vector<std::vector<int64_t>> paths = {
      {0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4}, {0, 1, 2, 5}, {6}, {6, 7}};
  for (const int64_t window : {0, 3}) {
    auto bias = torch::full({8, 10}, -std::numeric_limits<double>::infinity(), torch::kDouble);
    for (int64_t query = 0; query < 8; ++query) {
      std::vector<int64_t> keys = {0, 1};
      for (const int64_t token : paths[query]) keys.push_back(2 + token);
      const auto seen = window == 0 ? keys.size() : std::min<size_t>(window, keys.size());
      for (size_t i = keys.size() - seen; i < keys.size(); ++i) bias[query][keys[i]] = 0;
    }
    const auto plan = plan_attention(segments, {.window = window, .prefixes = {{8, 2}}});
    check([&](const Tensors& x) { return attention(x[0], x[1], x[2], plan, 0.4); },
          [&](const Tensors& x) {
            const auto by_head = [](const torch::Tensor& rows) {
              return rows.repeat_interleave(4 / rows.size(1), 1).transpose(0, 1);
            };
            const auto scores = by_head(x[0]).matmul(by_head(x[1]).transpose(1, 2)) * 0.4 + bias;
            const auto shares = scores.exp() / scores.exp().sum(-1, true);
            return shares.matmul(by_head(x[2])).transpose(0, 1);
          },
          {leaf({8, 4, 4}), leaf({10, 2, 4}), leaf({10, 2, 4})});
  }
}

}  // namespace
}  // namespace prefixmem::trainer
