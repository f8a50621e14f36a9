// The bf16 products of the CPU: linear maps, memories, log-probabilities.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "tests/unit/trainer/against_double.h"
#include "worker/trainer/ops/cpu/isa.h"
#include "worker/trainer/ops/feature_memory.h"
#include "worker/trainer/ops/linear.h"
#include "worker/trainer/ops/token_log_probs.h"

namespace prefixmem::trainer {
namespace {

torch::Tensor narrow(const std::vector<int64_t>& shape, double scale = 1) {
  return (torch::randn(shape) * scale).to(torch::kBFloat16);
}

torch::Tensor plain_linear(const std::vector<torch::Tensor>& in) {
  const torch::Tensor y = in[0].matmul(in[1].t());
  return in.size() == 3 ? y + in[2] : y;
}

void check_linear(int64_t tokens, int64_t in, int64_t out, bool bias, bool trained = false) {
  SCOPED_TRACE(std::to_string(tokens) + " x " + std::to_string(in) + " -> " + std::to_string(out));
  std::vector<torch::Tensor> inputs{narrow({tokens, in}).requires_grad_(),
                                    narrow({out, in}).requires_grad_(trained)};
  if (bias) inputs.push_back(narrow({out}).requires_grad_(trained));
  expect_near_double(
      inputs,
      [](const auto& in) {
        return trainer::linear(in[0], {{in[1], in.size() == 3 ? in[2] : torch::Tensor()}})[0];
      },
      plain_linear, kOneBf16Rounding);
}

TEST(CpuProducts, LinearOfAnyShape) {
  torch::manual_seed(1);
  for (const int64_t tokens : {1, 15, 16, 17, 40, 300}) {
    for (const auto& [in, out] :
         {std::pair<int64_t, int64_t>{2, 1}, {2, 2}, {33, 65}, {64, 63}, {34, 90}, {640, 200}}) {
      for (const bool bias : {false, true}) check_linear(tokens, in, out, bias);
    }
  }
}

TEST(CpuProducts, TrainedLinearOfAnyShape) {
  torch::manual_seed(12);
  for (const int64_t tokens : {1, 16, 17, 41, 300}) {
    for (const auto& [in, out] :
         {std::pair<int64_t, int64_t>{2, 2}, {33, 65}, {34, 90}, {640, 200}}) {
      for (const bool bias : {false, true}) check_linear(tokens, in, out, bias, true);
    }
  }
}

// Sums of several blocks of the depth.
TEST(CpuProducts, LinearOfManyColumns) {
  torch::manual_seed(9);
  for (const int64_t tokens : {16, 77}) check_linear(tokens, 2500, 1100, true);
}

// Added to `start` in the order of depth, and of a pair the second first.
std::vector<float> products_in_order(const torch::Tensor& a, const torch::Tensor& b,
                                     const std::vector<float>& start) {
  const torch::Tensor left = a.to(torch::kFloat), right = b.to(torch::kFloat);
  const auto x = left.accessor<float, 2>(), y = right.accessor<float, 2>();
  std::vector<float> sums = start;
  for (int64_t i = 0; i < a.size(0); ++i) {
    for (int64_t j = 0; j < b.size(1); ++j) {
      float& sum = sums[i * b.size(1) + j];
      for (int64_t k = 0; k < a.size(1); k += 2) {
        sum += x[i][k + 1] * y[k + 1][j];
        sum += x[i][k] * y[k][j];
      }
    }
  }
  return sums;
}

// Into columns of wider rows, of which the others stay as they were.
std::vector<float> products_by(const cpu::MatmulKernels& kernels, const torch::Tensor& a,
                               const torch::Tensor& b, const std::vector<float>& start, bool add) {
  constexpr float kUntouched = -123;
  const auto bits = [](const torch::Tensor& x) {
    return static_cast<const uint16_t*>(x.const_data_ptr());
  };
  const int64_t rows = a.size(0), depth = b.size(0), width = b.size(1), wide = width + 2;
  std::vector<uint16_t> packed(depth * width + 32);  // a vector may be read behind it
  kernels.pack({bits(b), width}, depth, width, packed.data());
  std::vector<float> sums(rows * wide, kUntouched);
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(&start[i * width], width, &sums[i * wide + 1]);
  }
  kernels.multiply({bits(a), depth}, {packed.data(), depth, width}, {&sums[1], wide}, rows, add);
  std::vector<float> result;
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = sums.begin() + i * wide;
    EXPECT_EQ(row[0], kUntouched);
    EXPECT_EQ(row[width + 1], kUntouched);
    result.insert(result.end(), row + 1, row + 1 + width);
  }
  return result;
}

// So that a product's bits are those of any processor without tiles.
TEST(CpuProducts, EveryInstructionSetHasTheSameBits) {
  torch::manual_seed(13);
  for (const int64_t rows : {1, 5, 6, 12, 13, 50}) {
    for (const int64_t depth : {2, 34, 256, 300}) {
      for (const int64_t width : {1, 7, 16, 17, 33, 64, 100}) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(depth) + " x " +
                     std::to_string(width));
        const auto a = narrow({rows, depth}), b = narrow({depth, width});
        const std::vector<float> zeros(rows * width), some(rows * width, 0.75F);
        for (const cpu::Isa& isa : cpu::supported_isas()) {
          EXPECT_EQ(products_by(*isa.matmul, a, b, some, false), products_in_order(a, b, zeros));
          EXPECT_EQ(products_by(*isa.matmul, a, b, some, true), products_in_order(a, b, some));
        }
      }
    }
  }
}

TEST(CpuProducts, LinearOfColumnsOfAWiderTensor) {
  torch::manual_seed(2);
  const auto wide = narrow({20, 48}), weight = narrow({32, 16});
  const auto x = wide.narrow(1, 16, 16);
  EXPECT_TRUE(torch::equal(trainer::linear(x, {{weight, {}}})[0],
                           trainer::linear(x.contiguous(), {{weight, {}}})[0]));
}

// One input, three maps: the gradients of x are summed before they are rounded.
TEST(CpuProducts, SeveralMapsOfOneInput) {
  torch::manual_seed(7);
  for (const int64_t tokens : {3, 16, 75}) {
    for (const int64_t second : {6, 7}) {
      for (const bool trained : {false, true}) {
        const auto weight = narrow({70, 40}), other = narrow({second, 40}).requires_grad_(trained);
        expect_near_double(
            {narrow({tokens, 40}).requires_grad_(), weight, other,
             narrow({second}).requires_grad_(trained)},
            [](const auto& in) {
              const auto y = trainer::linear(in[0], {{in[1], {}}, {in[2], in[3]}, {in[1], {}}});
              return torch::cat(y, 1);
            },
            [](const auto& in) {
              const torch::Tensor y = in[0].matmul(in[1].t());
              return torch::cat({y, in[0].matmul(in[2].t()) + in[3], y}, 1);
            },
            2 * kOneBf16Rounding);
      }
    }
  }
}

// Gradients that are one number for all rows and columns have no rows of their own.
TEST(CpuProducts, TrainedMapsOfAnExpandedGradient) {
  torch::manual_seed(8);
  const auto x = narrow({20, 8}), weight = narrow({6, 8}).requires_grad_();
  const auto y = trainer::linear(x, {{weight, {}}, {narrow({4, 8}), {}}});
  y[0].sum(0).backward(torch::ones({6}, torch::kBFloat16));
  const auto want = x.to(torch::kFloat).sum(0).expand({6, 8});
  EXPECT_TRUE(torch::allclose(weight.grad().to(torch::kFloat), want, 0.01, 0.01));
}

struct Rank {
  size_t map;
  int64_t begin, count, r;
};

// Maps of 70 and 34 columns, updated; inputs are x, then a and b of each update.
void check_updates(int64_t tokens, const std::vector<Rank>& ranks) {
  constexpr double kScale = 0.5;
  const std::vector<torch::Tensor> weights{narrow({70, 40}, 0.2), narrow({34, 40}, 0.2)};
  std::vector<torch::Tensor> inputs{narrow({tokens, 40}).requires_grad_()};
  for (const Rank& rank : ranks) {
    const auto trained = [](const std::vector<int64_t>& shape) {
      return narrow(shape, 0.3).to(torch::kFloat).requires_grad_();
    };
    inputs.push_back(trained({rank.r, 40}));
    inputs.push_back(trained({weights[rank.map].size(0), rank.r}));
  }
  expect_near_double(
      inputs,
      [&](const auto& in) {
        std::vector<LowRankUpdate> updates;
        for (size_t i = 0; i < ranks.size(); ++i) {
          const auto& [map, begin, count, r] = ranks[i];
          updates.push_back({map, begin, count, {in[2 * i + 1], in[2 * i + 2], kScale}});
        }
        return torch::cat(trainer::linear(in[0], {{weights[0], {}}, {weights[1], {}}}, updates), 1);
      },
      [&](const auto& in) {
        std::vector<torch::Tensor> out;
        for (const auto& weight : weights)
          out.push_back(in[0].matmul(weight.to(torch::kDouble).t()));
        for (size_t i = 0; i < ranks.size(); ++i) {
          const auto& [map, begin, count, r] = ranks[i];
          const auto update =
              in[0].narrow(0, begin, count).matmul(in[2 * i + 1].t()).matmul(in[2 * i + 2].t());
          out[map] = out[map] +
                     torch::constant_pad_nd(update * kScale, {0, 0, begin, tokens - begin - count});
        }
        return torch::cat(out, 1);
      },
      2 * kOneBf16Rounding);
}

TEST(CpuProducts, LowRankUpdates) {
  torch::manual_seed(10);
  for (const int64_t tokens : {3, 16, 77, 300}) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens");
    check_updates(tokens, {{0, 0, tokens, 8}});
    check_updates(tokens, {{0, 0, tokens, 3}, {1, 0, tokens, 5}});
    check_updates(tokens, {{1, 0, 1, 4}, {0, 1, tokens - 2, 2}, {1, 1, tokens - 2, 7}});
  }
  // Across the rows that are multiplied at a time.
  check_updates(9000, {{0, 4000, 200, 3}, {1, 4096, 4096, 2}, {1, 8192, 808, 5}});
}

// Rows of a trial that has diverged spoil no other trial's.
TEST(CpuProducts, UpdatesTouchTheirRowsAlone) {
  torch::manual_seed(11);
  const auto x = narrow({40, 32}), weight = narrow({16, 32});
  const auto bad = torch::full({2, 32}, NAN), b = torch::ones({16, 2});
  const auto y = trainer::linear(x, {{weight, {}}}, {{0, 10, 7, {bad, b, 1}}})[0];
  const auto plain = trainer::linear(x, {{weight, {}}})[0];
  EXPECT_TRUE(torch::equal(y.narrow(0, 0, 10), plain.narrow(0, 0, 10)));
  EXPECT_TRUE(torch::equal(y.narrow(0, 17, 23), plain.narrow(0, 17, 23)));
  EXPECT_TRUE(y.narrow(0, 10, 7).isnan().all().item<bool>());
}

torch::Tensor plain_elu(const torch::Tensor& x, bool plus_one) {
  return torch::where(x > 0, x, x.clamp_max(0).exp() - 1) + (plus_one ? 1 : 0);
}

// Features are rounded to bf16 before the product.
TEST(CpuProducts, EluMemory) {
  torch::manual_seed(3);
  for (const int64_t tokens : {1, 5, 16, 17, 400}) {
    for (const int64_t d : {16, 34, 64}) {
      for (const bool plus_one : {false, true}) {
        SCOPED_TRACE(std::to_string(tokens) + " tokens, head of " + std::to_string(d));
        const auto memory = narrow({3, d, d}).to(torch::kFloat).requires_grad_();
        expect_near_double(
            {narrow({tokens, 3, d}).requires_grad_(), memory},
            [&](const auto& in) {
              return feature_memory(in[0], in[1],
                                    plus_one ? FeatureMap::kEluPlusOne : FeatureMap::kElu);
            },
            [&](const auto& in) {
              return torch::einsum("thf,hfd->thd", {plain_elu(in[0], plus_one), in[1]});
            },
            2 * kOneBf16Rounding);
      }
    }
  }
}

void check_log_probs(int64_t labels, int64_t vocab, int64_t n, double scale, bool trained = false) {
  SCOPED_TRACE(std::to_string(labels) + " labels, " + std::to_string(vocab) + " x " +
               std::to_string(n));
  const auto ids = torch::randint(vocab, {labels}, torch::kLong);
  ids[0] = vocab - 1;
  expect_near_double(
      {narrow({labels, n}, scale).requires_grad_(), narrow({vocab, n}).requires_grad_(trained)},
      [&](const auto& in) { return token_log_probs(in[0], in[1], ids); },
      [&](const auto& in) {
        return in[0].matmul(in[1].t()).log_softmax(1).gather(1, ids.unsqueeze(1)).squeeze(1);
      },
      2 * kOneBf16Rounding);
}

TEST(CpuProducts, LogProbsOfAnyVocabulary) {
  torch::manual_seed(4);
  for (const int64_t vocab : {2, 127, 129, 8192, 8193, 20001}) check_log_probs(5, vocab, 34, 0.5);
  for (const int64_t labels : {1, 15, 64, 65, 130}) check_log_probs(labels, 1001, 32, 0.5);
}

// One block of labels, and two.
TEST(CpuProducts, LogProbsOfATrainedHead) {
  torch::manual_seed(14);
  for (const int64_t labels : {3, 16, 33}) check_log_probs(labels, 1000, 34, 0.2, true);
  check_log_probs(17, 1001, 34, 0.2, true);
  check_log_probs(80, (int64_t{1} << 18) + 2, 16, 0.2, true);
}

// Logits of some hundreds: the largest one is met late, and early sums count for nothing.
TEST(CpuProducts, LogProbsOfLargeLogits) {
  torch::manual_seed(5);
  check_log_probs(7, 20001, 64, 16);
}

TEST(CpuProducts, LogProbsWithoutGradientsAreTheSame) {
  torch::manual_seed(6);
  const auto hidden = narrow({9, 32}), head = narrow({300, 32});
  const auto ids = torch::randint(300, {9}, torch::kLong);
  const auto plain = token_log_probs(hidden, head, ids);
  EXPECT_TRUE(torch::equal(token_log_probs(hidden.clone().requires_grad_(), head, ids), plain));
}

}  // namespace
}  // namespace prefixmem::trainer
