// The kernels of SoftmaxKernels. Included by isa.cc alone.
#pragma once

#include "worker/trainer/ops/cpu/lanes.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace {

using prefixmem::trainer::cpu::LogitBlock;
using prefixmem::trainer::cpu::ScoreRow;

constexpr float kNever = -3.0e38F;  // below every score that counts

PM_INLINE Ints lane_numbers() { return Ints{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }

// Scaled and masked scores from `at` on; kNever where there are none.
PM_INLINE Floats scores_at(const ScoreRow& row, int64_t at) {
  const int64_t left = row.seen - at;
  Floats score = load(row.scores + at) * row.scale;
  if (row.mask != nullptr) {
    score += left < kLanes ? load_part(row.mask + at, left) : load(row.mask + at);
  }
  return left < kLanes ? (lane_numbers() < static_cast<int32_t>(left) ? score : all(kNever))
                       : score;
}

PM_INLINE void clear_from(uint16_t* row, int64_t from, int64_t width) {
  for (int64_t i = from; i < width; i += kLanes) store(row + i, all(0));
}

PM_INLINE int64_t whole_lanes(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

float softmax(const ScoreRow& row, uint16_t* probabilities) {
  Floats most = all(kNever);
  for (int64_t at = 0; at < row.seen; at += kLanes) {
    const Floats score = scores_at(row, at);
    most = score > most ? score : most;
  }
  const float top = max_of(most);
  Floats sums = all(0);
  for (int64_t at = 0; at < row.seen; at += kLanes) sums += exp_of(scores_at(row, at) - top);
  const float normaliser = top + __builtin_logf(sum_of(sums));
  for (int64_t at = 0; at < row.seen; at += kLanes) {
    store(probabilities + at, exp_of(scores_at(row, at) - normaliser));
  }
  clear_from(probabilities, whole_lanes(row.seen), row.width);
  return normaliser;
}

void softmax_backward(const ScoreRow& row, float normaliser, const float* gradient, float along,
                      uint16_t* probabilities, uint16_t* of_scores) {
  for (int64_t at = 0; at < row.seen; at += kLanes) {
    const Floats p = exp_of(scores_at(row, at) - normaliser);
    store(probabilities + at, p);
    store(of_scores + at, p * (load(gradient + at) - along) * row.scale);
  }
  clear_from(probabilities, whole_lanes(row.seen), row.width);
  clear_from(of_scores, whole_lanes(row.seen), row.width);
}

float dot(const uint16_t* a, const uint16_t* b, int64_t n) {
  Floats sums = all(0);
  for_lanes(n, [&](auto read, auto) { sums += read(a) * read(b); });
  return sum_of(sums);
}

void column_max(const LogitBlock& block, float* most) {
  for (int64_t j = 0; j < block.width; j += kLanes) {
    Floats top = load(most + j);
    for (int64_t i = 0; i < block.rows; ++i) {
      const Floats logit = load(block.logits + i * block.width + j);
      top = logit > top ? logit : top;
    }
    store(most + j, top);
  }
}

void column_exp(const LogitBlock& block, const float* most, float* sum, uint16_t* out) {
  for (int64_t j = 0; j < block.width; j += kLanes) {
    const Floats top = load(most + j);
    Floats sums = all(0);
    for (int64_t i = 0; i < block.rows; ++i) {
      const Floats e = exp_of(load(block.logits + i * block.width + j) - top);
      sums += e;
      store(out + i * block.width + j, e);
    }
    store(sum + j, load(sum + j) + sums);
  }
}

}  // namespace
