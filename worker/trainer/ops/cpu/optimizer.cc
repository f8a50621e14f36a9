#include "worker/trainer/ops/cpu/optimizer.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer::cpu {
namespace {

constexpr int64_t kBlock = 1 << 16;

int64_t blocks_of(int64_t n) { return (n + kBlock - 1) / kBlock; }

}  // namespace

void adamw(const AdamWFactors& by, const AdamWBuffers& buffers, int64_t n) {
  parallel_for(0, blocks_of(n), 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kBlock;
    const auto ratios = [&](const float* x) { return x == nullptr ? nullptr : x + first; };
    const AdamWBuffers part{buffers.values + first,        buffers.first_moment + first,
                            buffers.second_moment + first, buffers.gradients + first,
                            ratios(buffers.rate_ratios),   ratios(buffers.decay_ratios)};
    optimizer_kernels().adamw(by, part, std::min(end * kBlock, n) - first);
  });
}

double sum_of_squares(const torch::Tensor& x) {
  const int64_t n = x.numel();
  std::vector<double> sums(blocks_of(n));
  parallel_for(0, blocks_of(n), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlock;
      sums[block] = optimizer_kernels().sum_of_squares(x.data_ptr<float>() + first,
                                                       std::min(kBlock, n - first));
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace prefixmem::trainer::cpu
