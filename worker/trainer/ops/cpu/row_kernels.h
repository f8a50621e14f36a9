// Single passes over rows of numbers, compiled once for each instruction set. They know neither
// LibTorch nor threads: callers share out the rows.
#pragma once

#include <cstdint>

namespace prefixmem::trainer::cpu {

// Rows that begin `stride` elements apart.
template <class T>
struct Rows {
  T* data;
  int64_t stride;
  // Inlined everywhere, so that no instruction set's copy stands in for another's.
  __attribute__((always_inline)) T* row(int64_t i) const { return data + i * stride; }
};

enum class Gate { kSilu, kGeluTanh };
enum class Feature { kElu, kEluPlusOne };

// T is float, or uint16_t for bf16. Sums and products are fp32, rounded once to T where stored.
template <class T>
struct RowKernels {
  // y = x · inverse · factor (+ residual, where its data are not null), inverse [count] = 1 /
  // sqrt(mean(x²) + eps) being written; factor [n].
  void (*norm)(Rows<const T> x, const float* factor, Rows<const T> residual, float eps, Rows<T> y,
               float* inverse, int64_t count, int64_t n);
  // Of the norm, without the residual.
  void (*norm_backward)(Rows<const T> gradient, Rows<const T> x, const float* factor,
                        const float* inverse, Rows<T> out, int64_t count, int64_t n);
  // A token's heads, `heads` rows of n, by one angle for each pair (i, i + n / 2); sign -1 turns
  // back. cos and sin [n / 2].
  void (*rotate)(Rows<const T> x, const float* cos, const float* sin, float sign, Rows<T> y,
                 int64_t heads, int64_t n);
  void (*gate)(Gate kind, Rows<const T> gate, Rows<const T> up, Rows<T> out, int64_t count,
               int64_t n);
  void (*gate_backward)(Gate kind, Rows<const T> gradient, Rows<const T> gate, Rows<const T> up,
                        Rows<T> of_gate, Rows<T> of_up, int64_t count, int64_t n);
  void (*feature)(Feature kind, Rows<const T> x, Rows<T> out, int64_t count, int64_t n);
  // out = gradient · phi'(x)
  void (*feature_backward)(Feature kind, Rows<const float> gradient, Rows<const T> x, Rows<T> out,
                           int64_t count, int64_t n);
};

// Of the best instruction set that this processor has.
template <class T>
const RowKernels<T>& row_kernels();

// A right operand as MatmulKernels::pack leaves it; a vector's bytes behind it may be read.
struct PackedBlock {
  const uint16_t* data;
  int64_t depth, width;
};

// What the bf16 products of matmul.h are made of.
struct MatmulKernels {
  // Pairs of rows side by side, as the product's right operand wants them: out[k / 2][j][k % 2] =
  // x.row(k)[j] for k < depth, 0 for the row that an odd depth lacks; `width` columns.
  void (*pack)(Rows<const uint16_t> x, int64_t depth, int64_t width, uint16_t* out);
  // The same of the transpose: out[k / 2][j][k % 2] = x.row(j)[k].
  void (*pack_transposed)(Rows<const uint16_t> x, int64_t depth, int64_t width, uint16_t* out);
  // y = x + bias (which may be null), rounded.
  void (*narrow)(Rows<const float> x, const float* bias, Rows<uint16_t> y, int64_t count,
                 int64_t n);
  // out.row(j)[i] = x.row(i)[j] for i < count, j < n.
  void (*transpose)(Rows<const uint16_t> x, Rows<uint16_t> out, int64_t count, int64_t n);
  // sums = a b, or sums += a b where `add`: a [rows, depth] with an even depth > 0, b packed. The
  // bits are the same on every instruction set unless a number, a product or a sum is denormal or
  // overflows.
  void (*multiply)(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows, bool add);
};

const MatmulKernels& matmul_kernels();

// AdamW's buffers, all alike. What a value's learning rate, and the decay of it, are over those of
// the step: null where all are 1.
struct AdamWBuffers {
  float *values, *first_moment, *second_moment;
  const float *gradients, *rate_ratios, *decay_ratios;
};

// What a step has in common for all values: rate is learning rate / (1 - beta1^steps),
// root_correction 1 / sqrt(1 - beta2^steps), decay learning rate · weight decay.
struct AdamWFactors {
  float one_minus_beta1, beta2, one_minus_beta2, epsilon, rate, root_correction, decay;
};

struct OptimizerKernels {
  // A step of AdamW in one pass; of one value the bits do not depend on its place.
  void (*adamw)(const AdamWFactors& by, const AdamWBuffers& buffers, int64_t n);
  double (*sum_of_squares)(const float* x, int64_t n);
};

const OptimizerKernels& optimizer_kernels();

// Softmax of one query's scores: `seen` of them, padded to `width`. A mask row of 0 and -infinity
// is added where it is not null.
struct ScoreRow {
  const float* scores;
  const float* mask;
  float scale;  // of the scores, before the mask
  int64_t seen, width;
};

// Columns of fp32 logits [rows, width], a token of the vocabulary a row, a label a column.
struct LogitBlock {
  const float* logits;
  int64_t rows, width;
};

struct SoftmaxKernels {
  // probabilities [width], 0 from `seen` on; returns the log of the softmax's denominator.
  float (*softmax)(const ScoreRow& row, uint16_t* probabilities);
  // Of the probabilities p = exp(score - normaliser) and their gradient: p and, with `along` the
  // row's sum of gradient · output, p (gradient - along) scale; both [width], 0 from `seen` on.
  void (*softmax_backward)(const ScoreRow& row, float normaliser, const float* gradient,
                           float along, uint16_t* probabilities, uint16_t* of_scores);
  // Sum of a[i] b[i].
  float (*dot)(const uint16_t* a, const uint16_t* b, int64_t n);
  // most[j] = max(most[j], column j).
  void (*column_max)(const LogitBlock& block, float* most);
  // out[i, j] = exp(logit - most[j]), rounded; sum[j] += what was not rounded.
  void (*column_exp)(const LogitBlock& block, const float* most, float* sum, uint16_t* out);
};

const SoftmaxKernels& softmax_kernels();

}  // namespace prefixmem::trainer::cpu
