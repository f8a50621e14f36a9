// Attention over ragged batches against dense attention with a mask made by brute force.
#include "worker/trainer/ops/attention.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <limits>

namespace prefixmem::trainer {
namespace {

struct Shape {
  int64_t heads, key_heads, head_dim;
  torch::Dtype dtype = torch::kFloat;
};

// Keys of a prefix have the numbers -p … -1, which are their positions before every root, too.
bool sees(const std::vector<Segment>& segments, int64_t query, int64_t key, int64_t window) {
  const auto owner = [&](int64_t token) {
    int32_t s = 0;
    while (token >= segments[s].begin + segments[s].length) ++s;
    return s;
  };
  const auto position = [&](int64_t token) {
    const Segment& segment = segments[owner(token)];
    return segment.position + token - segment.begin;
  };
  if (key < 0) return window == 0 || position(query) - key < window;
  int32_t at = owner(query);
  while (at >= 0 && at != owner(key)) at = segments[at].parent;
  if (at < 0 || key > query) return false;
  return window == 0 || position(query) - position(key) < window;
}

torch::Tensor dense(const torch::Tensor& query, const torch::Tensor& key,
                    const torch::Tensor& value, const std::vector<Segment>& segments,
                    int64_t window, double scale) {
  const int64_t tokens = query.size(0), group = query.size(1) / key.size(1);
  const int64_t prefix = key.size(0) - tokens;
  torch::Tensor bias = torch::zeros({tokens, prefix + tokens});
  auto cells = bias.accessor<float, 2>();
  for (int64_t q = 0; q < tokens; ++q) {
    for (int64_t k = 0; k < prefix + tokens; ++k) {
      if (sees(segments, q, k - prefix, window)) continue;
      cells[q][k] = -std::numeric_limits<float>::infinity();
    }
  }
  const auto spread = [&](const torch::Tensor& x) {
    return x.repeat_interleave(group, 1).transpose(0, 1);
  };
  const torch::Tensor scores =
      query.transpose(0, 1).matmul(spread(key).transpose(1, 2)) * scale + bias;
  return scores.softmax(-1).matmul(spread(value)).transpose(0, 1);
}

void expect_near(const torch::Tensor& got, const torch::Tensor& want, const char* what) {
  if (got.scalar_type() == torch::kBFloat16) {  // probabilities and the result are rounded
    const double error = (got.to(torch::kFloat) - want).norm().item<double>();
    EXPECT_LT(error, 0.006 * want.norm().item<double>() + 1e-4) << what;
    return;
  }
  const double error = (got - want).abs().max().item<double>();
  EXPECT_LT(error, 2e-5 * std::max(1.0, want.abs().max().item<double>())) << what;
}

void check(const std::vector<Segment>& segments, int64_t window, Shape shape, int64_t prefix = 0) {
  SCOPED_TRACE("window " + std::to_string(window) + ", heads " + std::to_string(shape.heads) +
               " over " + std::to_string(shape.key_heads) + ", prefix " + std::to_string(prefix));
  torch::manual_seed(7);
  const int64_t tokens = segments.back().begin + segments.back().length;
  const auto leaf = [&](int64_t count, int64_t heads) {
    return torch::randn({count, heads, shape.head_dim}).to(shape.dtype).requires_grad_();
  };
  const torch::Tensor query = leaf(tokens, shape.heads),
                      key = leaf(prefix + tokens, shape.key_heads),
                      value = leaf(prefix + tokens, shape.key_heads);
  const auto weight = torch::randn({tokens, shape.heads, shape.head_dim}).to(shape.dtype);
  const auto plan = plan_attention(segments, {window, {{tokens, prefix}}});

  const double scale = shape.head_dim < 32 ? 0.3 : 0.1;
  const auto out = attention(query, key, value, plan, scale);
  const auto gradients = torch::autograd::grad({(out * weight).sum()}, {query, key, value});
  const auto wide = [](const torch::Tensor& x) {
    return x.detach().to(torch::kFloat).requires_grad_();
  };
  const auto q = wide(query), k = wide(key), v = wide(value);
  const auto expected = dense(q, k, v, segments, window, scale);
  const auto wanted = torch::autograd::grad({(expected * weight).sum()}, {q, k, v});
  expect_near(out, expected, "output");
  expect_near(gradients[0], wanted[0], "query gradient");
  expect_near(gradients[1], wanted[1], "key gradient");
  expect_near(gradients[2], wanted[2], "value gradient");
}

std::vector<Segment> segments_of(const std::vector<std::pair<int64_t, int32_t>>& shape) {
  RaggedBuilder builder;
  for (const auto& [length, parent] : shape) builder.add(std::vector<int32_t>(length, 1), parent);
  return std::move(builder).build().segments;
}

TEST(Attention, MatchesDenseOnRows) {
  for (const int64_t window : {0, 1, 5, 9}) {
    check(segments_of({{9, -1}, {1, -1}, {4, -1}}), window, {4, 1, 8});
  }
  check(segments_of({{9, -1}, {12, -1}}), 0, {4, 4, 16});
  check(segments_of({{9, -1}, {12, -1}}), 0, {6, 2, 4});
}

TEST(Attention, MatchesDenseOnTrees) {
  const auto tree =
      segments_of({{5, -1}, {3, 0}, {2, 0}, {4, 2}, {1, 2}, {6, -1}, {2, 5}, {3, -1}});
  for (const int64_t window : {0, 2, 6}) {
    check(tree, window, {4, 2, 8});
    check(tree, window, {2, 1, 8});
  }
}

TEST(Attention, HalfPrecisionMatchesDense) {
  const auto rows = segments_of({{9, -1}, {1, -1}, {33, -1}, {64, -1}});
  const auto tree =
      segments_of({{5, -1}, {3, 0}, {2, 0}, {40, 2}, {1, 2}, {6, -1}, {2, 5}, {3, -1}});
  for (const Shape& shape : {Shape{4, 1, 32, torch::kBFloat16},
                             {6, 2, 64, torch::kBFloat16},
                             {3, 3, 32, torch::kBFloat16},
                             {2, 1, 40, torch::kBFloat16}}) {
    for (const int64_t window : {0, 1, 6}) {
      for (const int64_t prefix : {0, 7}) {
        check(rows, window, shape, prefix);
        check(tree, window, shape, prefix);
      }
    }
  }
}

TEST(Attention, LongRowsInHalfPrecision) {
  check(segments_of({{700, -1}, {20, -1}}), 64, {2, 1, 32, torch::kBFloat16});
  check(segments_of({{600, -1}, {30, -1}}), 0, {2, 1, 32, torch::kBFloat16});
  check(segments_of({{600, -1}, {500, 0}, {30, 0}}), 300, {2, 1, 32, torch::kBFloat16}, 9);
}

TEST(Attention, HalfPrecisionHasTheSameBitsWithTwoThreads) {
  torch::manual_seed(8);
  const auto plan = plan_attention(segments_of({{100, -1}, {6, 0}, {9, 0}, {33, -1}}), {});
  const auto leaf = [](int64_t heads) {
    return torch::randn({148, heads, 64}).to(torch::kBFloat16).requires_grad_();
  };
  const auto query = leaf(8), key = leaf(2), value = leaf(2);
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    const auto out = attention(query, key, value, plan, 0.2);
    auto results = torch::autograd::grad({out.square().sum()}, {query, key, value});
    results.push_back(out);
    return results;
  };
  const auto one = run(1), two = run(2);
  at::set_num_threads(1);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(torch::equal(one[i], two[i])) << i;
}

TEST(Attention, CutsLongWindowedRows) {
  const auto row = segments_of({{700, -1}});
  EXPECT_EQ(plan_attention(row, {}).size(), 1U);
  const auto plan = plan_attention(row, {.window = 64});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[1].keys.front().begin, 256 - 63);
  EXPECT_EQ(plan[1].keys.front().count, 256 + 63);
  check(row, 64, {2, 1, 8});
}

TEST(Attention, LargeTreesGoPathByPath) {
  const auto tree = segments_of({{600, -1}, {500, 0}, {400, 1}, {700, 0}});
  EXPECT_EQ(plan_attention(tree, {}).size(), 4U);
  check(tree, 0, {2, 1, 8});
  check(tree, 300, {2, 1, 8});
}

TEST(Attention, EveryRowSeesThePrefixAsTokensBeforeIt) {
  const auto tree =
      segments_of({{5, -1}, {3, 0}, {2, 0}, {4, 2}, {1, 2}, {6, -1}, {2, 5}, {3, -1}, {1, -1}});
  for (const int64_t prefix : {1, 4, 9}) {
    for (const int64_t window : {0, 1, 3, 7, 12}) check(tree, window, {4, 2, 8}, prefix);
  }
}

TEST(Attention, LongRowsAndLargeTreesBehindAPrefix) {
  check(segments_of({{1300, -1}, {40, -1}}), 0, {2, 1, 8}, 5);
  check(segments_of({{600, -1}}), 64, {2, 1, 8}, 90);
  check(segments_of({{600, -1}, {500, 0}, {400, 1}, {700, 0}}), 300, {2, 1, 8}, 30);
}

TEST(Attention, KeysOfThePrefixOutsideEveryWindowAreNotTouched) {
  const auto plan =
      plan_attention(segments_of({{700, -1}}), {.window = 64, .prefixes = {{700, 20}}});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].keys.front().begin, 0);
  EXPECT_EQ(plan[1].keys.front().begin, 20 + 256 - 63);
}

TEST(Attention, PlansCoverEachQueryOnce) {
  for (const int64_t window : {0, 7, 100}) {
    const auto segments = segments_of({{300, -1}, {20, 0}, {30, 0}, {5, -1}, {900, -1}, {900, 4}});
    std::vector<int> seen(segments.back().begin + segments.back().length);
    for (const auto& part : plan_attention(segments, {.window = window})) {
      for (int64_t q = 0; q < part.queries.count; ++q) ++seen[part.queries.begin + q];
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), static_cast<int64_t>(seen.size()));
  }
}

TEST(Attention, ExtensionSeesTheWindow) {
  const auto plan = plan_extension(10, 1, 4, torch::kCPU);
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_FALSE(plan[0].mask.defined());
  EXPECT_EQ(plan[0].keys.front().begin, 7);
  EXPECT_EQ(plan[0].keys.front().count, 4);
  EXPECT_TRUE(plan_extension(0, 3, 4, torch::kCPU)[0].causal);
}

// Each of 600 rows halves its attention between the prefix and itself: 600 gradients of 0.5, whose
// sum in bf16 would stop at 128.
TEST(Attention, GradientsOfASharedPrefixAccumulateInFp32) {
  const auto rows = segments_of(std::vector<std::pair<int64_t, int32_t>>(600, {1, -1}));
  const auto narrow = torch::TensorOptions(torch::kBFloat16);
  const auto query = torch::zeros({600, 1, 8}, narrow), key = torch::zeros({601, 1, 8}, narrow);
  const auto value = torch::ones({601, 1, 8}, narrow).requires_grad_();
  attention(query, key, value, plan_attention(rows, {.prefixes = {{600, 1}}}), 1).sum().backward();
  EXPECT_TRUE(torch::equal(value.grad()[0], torch::full({1, 8}, 300, narrow)));
}

TEST(Attention, HalfPrecisionStaysNearFp32) {
  torch::manual_seed(3);
  const auto tree = segments_of({{40, -1}, {6, 0}, {9, 0}});
  const auto plan = plan_attention(tree, {});
  const auto q = torch::randn({55, 4, 32}), k = torch::randn({55, 1, 32}),
             v = torch::randn({55, 1, 32});
  const auto half = [](const torch::Tensor& x) { return x.to(torch::kBFloat16).requires_grad_(); };
  const auto out = attention(half(q), half(k), half(v), plan, 0.2);
  const auto wide = attention(q, k, v, plan, 0.2);
  EXPECT_LT((out.to(torch::kFloat) - wide).abs().max().item<double>(), 0.05);
  out.sum().backward();
}

}  // namespace
}  // namespace prefixmem::trainer
