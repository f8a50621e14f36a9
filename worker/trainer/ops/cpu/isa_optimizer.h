// The kernels of OptimizerKernels. Included by isa.cc alone.
#pragma once

#include "worker/trainer/ops/cpu/lanes.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace {

using prefixmem::trainer::cpu::AdamWBuffers;
using prefixmem::trainer::cpu::AdamWFactors;

void adamw(const AdamWFactors& by, const AdamWBuffers& buffers, int64_t n) {
  for_lanes(n, [&](auto read, auto write) {
    const Floats gradient = read(buffers.gradients), value = read(buffers.values);
    const auto ratios = [&](const float* x) { return x == nullptr ? all(1) : read(x); };
    const Floats old = read(buffers.first_moment);
    const Floats first = old + (gradient - old) * by.one_minus_beta1;
    const Floats second =
        read(buffers.second_moment) * by.beta2 + gradient * gradient * by.one_minus_beta2;
    const Floats denominator = sqrt_of(second) * by.root_correction + by.epsilon;
    write(buffers.first_moment, first);
    write(buffers.second_moment, second);
    const Floats kept = value - ratios(buffers.decay_ratios) * by.decay * value;
    write(buffers.values, kept - ratios(buffers.rate_ratios) * by.rate * first / denominator);
  });
}

// In double, because fp32 is off by 1e-4 at five million values.
double sum_of_squares(const float* x, int64_t n) {
  using Doubles = double __attribute__((vector_size(128)));
  Doubles sums{};
  for_lanes(n, [&](auto read, auto) {
    const Doubles value = __builtin_convertvector(read(x), Doubles);
    sums += value * value;
  });
  double sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) sum += sums[i];
  return sum;
}

}  // namespace
