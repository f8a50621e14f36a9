// How the vectors that are added at many positions spread: the spectrum of their covariance.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace prefixmem::trainer {

// Of n vectors b_i of d numbers, with mean m.
struct Spectrum {
  // Of the covariance 1/n sum (b_i - m)(b_i - m)^T, largest first, [d]; arXiv 2506.13674 draws
  // their decay. What is below 1e-13 of the mean of |b_i|^2 is rounding (the vectors come in fp32)
  // and counts as 0.
  std::vector<double> eigenvalues;
  // exp(-sum p_k log p_k), p_k = s_k / sum s, s_k the singular values of the centred vectors: Roy
  // and Vetterli, "The effective rank", EUSIPCO 2007. 1 … d; 0 where nothing varies.
  double effective_rank = 0;
  // The fewest eigenvalues that hold 90 % of their sum; 0 where nothing varies.
  int64_t values_for_90_percent = 0;
  // |m|^2 over the mean of |b_i|^2: how much of the vectors is the same everywhere. NaN where all
  // are 0.
  double constant_share = 0;
};

// `vectors` [n, d], n at least 1, of any float type; computed in fp64.
Spectrum spectrum_of(const torch::Tensor& vectors);

}  // namespace prefixmem::trainer
